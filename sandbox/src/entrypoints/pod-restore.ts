import { podPaths, podVariables } from '@sac/contracts';
import { failureOf, leaveMessage, POD_MESSAGE_FILE, variableOf } from '../pod/message.ts';
import { restore } from '../pod/restore.ts';

/** Init container of a pod: folders and settings, at every start. */
try {
  const timings = await restore(podPaths, variableOf(process.env, podVariables.generation));
  leaveMessage(POD_MESSAGE_FILE, { timings });
} catch (error) {
  const failure = failureOf(error);
  process.stderr.write(`${failure.reason}\n`);
  leaveMessage(POD_MESSAGE_FILE, { failure });
  process.exitCode = 1;
}
