import { spawn } from 'node:child_process';

const MAX_OUTPUT_CHARACTERS = 32_768;

export interface CommandRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface CommandOutcome {
  /** Null when it ended well. */
  readonly problem: string | null;
  /** The last of both outputs together. */
  readonly output: string;
}

/** Runs a program to its end, with all it started: on abort and after the timeout its process group is killed. Never throws. */
export const runCommand = async (run: CommandRun): Promise<CommandOutcome> => {
  if (run.signal.aborted) return { problem: 'cancelled', output: '' };
  let output = '';
  let stopped: string | null = null;
  const child = spawn(run.command, run.args, {
    cwd: run.cwd,
    env: run.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const stop = (why: string): void => {
    stopped ??= why;
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  };
  const cancel = (): void => stop('cancelled');
  const timer = setTimeout(() => stop(`not finished after ${Math.round(run.timeoutMs / 1000)} s`), run.timeoutMs);
  run.signal.addEventListener('abort', cancel, { once: true });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT_CHARACTERS);
    });
  }
  try {
    const problem = await new Promise<string | null>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(code === 0 ? null : (signal ?? `exit code ${code}`)));
    });
    return { problem: problem === null ? null : (stopped ?? problem), output: output.trim() };
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', cancel);
  }
};
