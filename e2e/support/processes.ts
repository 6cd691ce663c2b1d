import { readdir, readlink } from 'node:fs/promises';
import type { Installation } from './sac.ts';

/** The process of a part, as `status` shows it. */
export async function pidOf(sac: Installation, part: 'api' | 'ws' | 'db'): Promise<number> {
  const status = await sac.run('status');
  const pid = new RegExp(`^ *${part} .*pid (\\d+)`, 'm').exec(status)?.[1];
  if (pid === undefined) throw new Error(`no process for ${part} in:\n${status}`);
  return Number(pid);
}

/** Whether a process works in the folder or holds something below it open. */
async function uses(pid: string, folder: string): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = [`/proc/${pid}/cwd`, ...descriptors.map((descriptor) => `/proc/${pid}/fd/${descriptor}`)];
  const targets = await Promise.all(links.map((link) => readlink(link).catch(() => '')));
  return targets.some((target) => target === folder || target.startsWith(`${folder}/`));
}

/** What a loss of power does to the processes of an installation: all are gone at once, nothing is tidied up. */
export async function losePower({ dataDir }: Installation): Promise<number> {
  let ended = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    if (!(await uses(pid, dataDir))) continue;
    process.kill(Number(pid), 'SIGKILL');
    ended += 1;
  }
  return ended;
}
