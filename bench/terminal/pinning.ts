import { spawnSync } from 'node:child_process';

/** Keeps this process, all its threads, on one core; null: on all again. */
export const pinSelf = (core: number | null): void => {
  const { status, stderr } = spawnSync(
    'taskset',
    ['-acp', core === null ? '0-1023' : String(core), String(process.pid)],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
};
