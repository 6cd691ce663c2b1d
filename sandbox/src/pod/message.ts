import { writeFileSync } from 'node:fs';
import type { AgentFailure, PodMessage } from '@sac/contracts';

/** Kubernetes keeps 4096 bytes of a termination message and cuts the rest off, which would no longer be JSON. */
const MAX_MESSAGE_BYTES = 3_500;
const MAX_TEXT_CHARACTERS = 600;

/** A start that cannot succeed, in words for a person. */
export class PodFailure extends Error {
  readonly failure: AgentFailure;

  constructor(failure: AgentFailure, options?: ErrorOptions) {
    super(failure.reason, options);
    this.name = 'PodFailure';
    this.failure = failure;
  }
}

const bounded = ({ code, reason, fix, output }: AgentFailure): AgentFailure => ({
  code,
  reason: reason.slice(0, MAX_TEXT_CHARACTERS),
  fix: fix.slice(0, MAX_TEXT_CHARACTERS),
  output: output?.slice(-MAX_TEXT_CHARACTERS) ?? null,
});

/** Leaves a message for the runtime, which finds it in the container's state. That it cannot be left stops nothing. */
export const leaveMessage = (path: string, message: PodMessage): void => {
  const text = JSON.stringify({ failure: bounded(message.failure) });
  if (Buffer.byteLength(text) > MAX_MESSAGE_BYTES) return;
  try {
    writeFileSync(path, text);
  } catch {
    // Without it the runtime has the exit code and the last lines of the log.
  }
};

export const POD_MESSAGE_FILE = '/dev/termination-log';

/** @throws when the runtime has not set it */
export const variableOf = (environment: Readonly<Record<string, string | undefined>>, name: string): string => {
  const value = environment[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; only the runtime starts this program.`);
  return value;
};

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** What of an error the person is told whose agent does not start. */
export const failureOf = (error: unknown): AgentFailure => {
  if (error instanceof PodFailure) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT')
    return {
      code: 'storage_full',
      reason: 'The volume of the agent is full.',
      fix: 'Free some space in a shell of the agent, or give it more storage, then restart it.',
      output: null,
    };
  return {
    code: 'sandbox_start_failed',
    reason: `The sandbox could not be prepared: ${message}`,
    fix: 'Restart the agent; if it happens again, the log of the container says more.',
    output: null,
  };
};
