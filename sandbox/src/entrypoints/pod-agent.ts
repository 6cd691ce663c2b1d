import { podPaths, podVariables } from '@sac/contracts';
import { agentRun } from '../pod/agent.ts';
import { failureOf, leaveMessage, POD_MESSAGE_FILE, variableOf } from '../pod/message.ts';
import { runTerminalServer } from '../terminal-server/run.ts';

/** Main container of a pod: the terminal server with the CLI and the shells below it. */
await runTerminalServer(
  async () => {
    try {
      return await agentRun(podPaths, variableOf(process.env, podVariables.generation));
    } catch (error) {
      leaveMessage(POD_MESSAGE_FILE, { failure: failureOf(error) });
      throw error;
    }
  },
  (code) => process.exit(code),
);
