import { podPaths, podVariables } from '@sac/contracts';
import { failureOf, leaveMessage, POD_MESSAGE_FILE, variableOf } from '../pod/message.ts';
import { startPodSidecar } from '../pod/sidecar.ts';

/** Container beside the agent's: the only one with a credential of the gateway. SIGTERM ends it. */
const log = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), name: 'sidecar', message, ...fields })}\n`);
};

const fail = (error: unknown): never => {
  const failure = failureOf(error);
  log('the sidecar cannot go on', { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  leaveMessage(POD_MESSAGE_FILE, { failure });
  return process.exit(1);
};
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const sidecar = await startPodSidecar({
  places: podPaths,
  generation: variableOf(process.env, podVariables.generation),
  internalUrl: variableOf(process.env, podVariables.internalUrl),
  log,
}).catch(fail);
log('ready');

let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    sidecar.close().then(() => process.exit(0), fail);
  });
