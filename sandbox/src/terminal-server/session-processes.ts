import { readdirSync, readFileSync } from 'node:fs';

/** Session id (field 6 of /proc/<pid>/stat). The name in field 2 may hold anything, so counting starts after it. */
const sessionOf = (pid: string): number | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[3]);
  } catch {
    return null;
  }
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
