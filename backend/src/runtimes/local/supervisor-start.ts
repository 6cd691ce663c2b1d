import { spawn } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SupervisorConfig } from '@sac/contracts';
import { SupervisorLink, type LinkHandlers } from './supervisor-link.ts';

const CONNECT_DEADLINE_MS = 20_000;
const CONNECT_EVERY_MS = 15;
const MAX_OUTPUT_BYTES = 4_096;

/** The supervisor ended before it could be reached; `output` is what it said. */
export class SupervisorStartError extends Error {
  readonly output: string | null;

  constructor(problem: string, output: string | null) {
    super(problem);
    this.name = 'SupervisorStartError';
    this.output = output;
  }
}

const tailOf = async (path: string, fromByte: number): Promise<string | null> => {
  const handle = await open(path, 'r').catch(() => null);
  if (handle === null) return null;
  try {
    const { size } = await handle.stat();
    const start = Math.max(fromByte, size - MAX_OUTPUT_BYTES);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(Math.max(0, size - start)),
      0,
      Math.max(0, size - start),
      start,
    );
    const text = buffer.subarray(0, bytesRead).toString('utf8').trim();
    return text === '' ? null : text;
  } finally {
    await handle.close();
  }
};

/**
 * Starts a supervisor as a process of its own session, which outlives this one, and connects to it. Its
 * configuration, secrets included, goes through a pipe. @throws SupervisorStartError
 */
export const startSupervisor = async (
  entry: string,
  config: SupervisorConfig,
  handlers: LinkHandlers,
): Promise<{ link: SupervisorLink; pid: number }> => {
  const { logFile, runDir } = config.paths;
  const statusSocket = join(runDir, 'status.sock');
  // The kernel may still be closing what a killed predecessor listened at: a connection to that would end like a death.
  await rm(statusSocket, { force: true });
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  const log = await open(logFile, 'a', 0o600);
  const logStartByte = (await log.stat()).size;
  const child = spawn(config.nodePath, [entry], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  let ended: string | null = null;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `exit code ${code}`}`;
  });
  // It may end before it has read everything; its exit says why.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(JSON.stringify(config));
  child.unref();
  await log.close();
  const deadline = Date.now() + CONNECT_DEADLINE_MS;
  while (ended === null && Date.now() < deadline) {
    const link = await SupervisorLink.open(statusSocket, handlers).catch(() => null);
    if (link !== null && child.pid !== undefined) return { link, pid: child.pid };
    await delay(CONNECT_EVERY_MS);
  }
  child.kill('SIGKILL');
  throw new SupervisorStartError(
    `The supervisor of the sandbox did not start: ${ended ?? 'it did not answer in time'}.`,
    await tailOf(logFile, logStartByte),
  );
};
