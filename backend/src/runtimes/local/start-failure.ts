import type { AgentFailure } from '@sac/contracts';
import { CliInstallError } from './cli-install-error.ts';
import { SupervisorStartError } from './supervisor-start.ts';

/** What a person is told about a start that failed, and what to do. */
export const failureOf = (error: unknown): AgentFailure => {
  if (error instanceof CliInstallError) return error.failure;
  const reason = error instanceof Error ? error.message : String(error);
  if (/ENOSPC|no space left/i.test(reason)) {
    return {
      code: 'storage_full',
      reason: 'The disk that holds the data directory is full.',
      fix: 'Free some space there, then start the agent again.',
      output: null,
    };
  }
  return {
    code: 'sandbox_start_failed',
    reason,
    fix: "The output and the agent's log on the server say why; start it again when that is mended.",
    output: error instanceof SupervisorStartError ? error.output : null,
  };
};

export const killedTooOften = (times: number): AgentFailure => ({
  code: 'sandbox_crash_loop',
  reason: `The sandbox was ended from outside ${times} times within a minute.`,
  fix: 'Look for what kills its processes (memory limits, cleaning scripts), then start the agent again.',
  output: null,
});
