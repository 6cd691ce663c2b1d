import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that can be told from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and start of the process. */
  readonly startTicks: string;
  readonly bootId: string;
}

const POLL_INTERVAL_MS = 20;
const KILL_WAIT_MS = 5_000;

const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // no such process, or it ended while we looked
  }
};

const bootId = (): string => readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';

/** Null when there is no such process or it is a zombie. */
export const identityOf = (pid: number): ProcessIdentity | null => {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The name in parentheses may hold anything, so fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTicks = fields[19];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return null;
  return { pid, startTicks, bootId: bootId() };
};

export const isAlive = (identity: ProcessIdentity): boolean => {
  const now = identityOf(identity.pid);
  return now !== null && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
};

export const parseIdentity = (value: unknown): ProcessIdentity | null => {
  if (typeof value !== 'object' || value === null) return null;
  const { pid, startTicks, bootId: boot } = value as Record<string, unknown>;
  if (!Number.isInteger(pid) || typeof startTicks !== 'string' || typeof boot !== 'string') return null;
  return { pid: pid as number, startTicks, bootId: boot };
};

/** Resolves to whether the process was gone before the time was over. */
export const waitUntilGone = async (identity: ProcessIdentity, timeoutMs: number): Promise<boolean> => {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() >= deadline) return false;
    await sleep(POLL_INTERVAL_MS);
  }
  return true;
};

/** Nothing happens when the process is gone, or another one has its pid by now. */
export const signalProcess = (identity: ProcessIdentity, name: NodeJS.Signals): void => {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Asks a process to end, and makes it after `graceMs`. Resolves when it is gone. */
export const endProcess = async (
  identity: ProcessIdentity,
  options: { readonly signal: NodeJS.Signals; readonly graceMs: number },
): Promise<void> => {
  signalProcess(identity, options.signal);
  if (await waitUntilGone(identity, options.graceMs)) return;
  signalProcess(identity, 'SIGKILL');
  if (!(await waitUntilGone(identity, KILL_WAIT_MS))) {
    throw new Error(`Process ${identity.pid} does not end, not even when killed.`);
  }
};
