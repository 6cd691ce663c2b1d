import { chmod, mkdir } from 'node:fs/promises';
import { podFolders } from '@sac/contracts';
import { seedHome } from '../profiles/seed.ts';
import { gitConfigOf, prepareCli, writeAtomically } from '../supervisor/prepare.ts';
import { readPodConfig, type PodPlaces } from './configuration.ts';

export interface RestoreTimings {
  readonly startingMs: number;
  readonly syncingMs: number;
}

/**
 * The root of a volume belongs to root and lets everybody delete everything; a folder of our own can have the sticky bit,
 * which programs look for at /tmp. Where the volume is not mounted, by an older server, /tmp stays what it was.
 */
const makeTemporary = async ({ agentTemporary }: PodPlaces): Promise<void> => {
  const folder = `${agentTemporary}/${podFolders.temporary}`;
  try {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o1777);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && ['EROFS', 'EACCES', 'EPERM'].includes(String(error.code))))
      throw error;
  }
};

/**
 * Makes the folders of a sandbox and puts the CLI's settings into them. Runs at every start of a pod and may be
 * repeated. @throws PodFailure, the file system's errors
 */
export const restore = async (places: PodPlaces, generation: string): Promise<RestoreTimings> => {
  const startedAt = performance.now();
  const { config, layout } = await readPodConfig(places, generation);
  for (const folder of [layout.host.inside, `${layout.host.inside}/state`, layout.host.shared]) {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    // The folder of a volume belongs to root, with our group; then its mode is not ours to change and right already.
    await chmod(folder, 0o755).catch(() => undefined);
  }
  await makeTemporary(places);
  await writeAtomically(`${layout.host.inside}/gitconfig`, gitConfigOf(config), 0o644);
  const { cli } = await prepareCli(config, layout);
  const preparedAt = performance.now();
  await seedHome(places.home, cli.seed);
  return {
    startingMs: Math.round(preparedAt - startedAt),
    syncingMs: Math.round(performance.now() - preparedAt),
  };
};
