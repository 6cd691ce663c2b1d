import type { AgentFailure } from '@sac/contracts';

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Turns an error of a start into words for a person. */
export const failureOf = (error: unknown, output: string | null = null): AgentFailure => {
  const message = messageOf(error);
  if (codeOf(error) === 'ENOSPC' || /ENOSPC|no space left/i.test(message)) {
    return {
      code: 'storage_full',
      reason: 'The disk that holds the data directory is full.',
      fix: 'Free some space there, then start the agent again.',
      output,
    };
  }
  if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') {
    return {
      code: 'permission_denied',
      reason: `A file of the sandbox may not be used: ${message}`,
      fix: 'Make the data directory belong to the user that runs the server.',
      output,
    };
  }
  return {
    code: 'sandbox_start_failed',
    reason: `The sandbox could not be started: ${message}`,
    fix: 'The last output and the log of this agent say why; start it again when that is mended.',
    output,
  };
};

/** The terminal server ended too often in a short time. */
export const crashLoopFailure = (
  exit: { code: number | null; signal: string | null; output: string | null },
  times: number,
): AgentFailure => {
  const end = exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
  return {
    code: 'sandbox_crash_loop',
    reason: `The sandbox ended ${times} times in a row within a minute, last with ${end}.`,
    fix: 'Look at the last output, then start the agent again.',
    output: exit.output,
  };
};
