import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Set by the sandbox's profiles in the environment of everything they start. */
const MARKER = 'SAC_SANDBOX';
const DEADLINE_MS = 10_000;

const marked = async (agentUid: string): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(`${MARKER}=${agentUid}`) ? pid : null;
    }),
  );
  return found.filter((pid) => pid !== null);
};

/**
 * Ends what a sandbox without bubblewrap left when its supervisor was killed. With bubblewrap nothing can be
 * left: the kernel ends all of a PID namespace.
 */
export const endStrays = async (agentUid: string): Promise<void> => {
  const deadline = Date.now() + DEADLINE_MS;
  for (let pids = await marked(agentUid); pids.length > 0 && Date.now() < deadline; pids = await marked(agentUid)) {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await delay(50);
  }
};
