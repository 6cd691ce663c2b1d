import { readdir, readFile } from 'node:fs/promises';
import { SANDBOX_MARKER } from '../profiles/environment.ts';

const SWEEP_INTERVAL_MS = 50;

/** Clock ticks from boot to the start of a process; null when there is none. Tells a reused process id apart. */
export const processStartTime = async (pid: number): Promise<string | null> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The command name may hold spaces and brackets: fields are counted from its last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') return null;
  return fields[19] ?? null;
};

/** Sends a signal; a process that is gone or not ours is no error. */
export const signalProcess = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it ended first. EPERM: not ours, so not to be signalled.
  }
};

export const childrenOf = async (pid: number): Promise<number[]> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map(Number);
};

/** Processes whose environment names this sandbox. Only needed without bubblewrap. */
const markedProcesses = async (agentUid: string): Promise<number[]> => {
  const marker = `${SANDBOX_MARKER}=${agentUid}`;
  const names = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    names.map(async (name) => {
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(marker) ? Number(name) : null;
    }),
  );
  return found.filter((pid) => pid !== null);
};

/** Ends every process that carries the sandbox's mark, first politely. Resolves when none is left or `deadlineMs` passed. */
export const endMarkedProcesses = async (agentUid: string, graceMs: number, deadlineMs: number): Promise<void> => {
  const startedAt = Date.now();
  let signal: NodeJS.Signals = 'SIGTERM';
  while (Date.now() - startedAt < deadlineMs) {
    const pids = await markedProcesses(agentUid);
    if (pids.length === 0) return;
    if (Date.now() - startedAt >= graceMs) signal = 'SIGKILL';
    for (const pid of pids) signalProcess(pid, signal);
    await new Promise((resolve) => setTimeout(resolve, SWEEP_INTERVAL_MS));
  }
};
