import { readdirSync, readFileSync } from 'node:fs';

/** Fields of /proc/<pid>/stat from the third on; the name in the second may hold anything, so counting starts after it. */
const statOf = (pid: string): number[] | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    return null;
  }
};

const sessionOf = (pid: string): number | null => statOf(pid)?.[3] ?? null;

/** Whether the terminal that `leader` was started in belongs to another process group now: a shell that runs something. */
export const hasForegroundJob = (leader: number): boolean => {
  const [, , group = 0, , , foreground = -1] = statOf(String(leader)) ?? [];
  return foreground > 0 && group > 0 && foreground !== group;
};

/**
 * Signals every process of the session that `leader` started, background jobs in their own groups included.
 * Processes that made a session of their own are not found; the sandbox ends those.
 */
export const signalSession = (leader: number, signal: NodeJS.Signals): void => {
  const members = readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry) && sessionOf(entry) === leader);
  for (const member of members) {
    try {
      process.kill(Number(member), signal);
    } catch {
      // Gone in between: that is what was wanted.
    }
  }
};
