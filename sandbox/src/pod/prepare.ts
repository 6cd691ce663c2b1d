import { chmod, mkdir } from 'node:fs/promises';
import { gitConfigOf, prepareCli, writeAtomically } from '../supervisor/prepare.ts';
import type { PodConfig } from './configuration.ts';

/**
 * Makes the folders between the containers, and the files that the CLI may read and not change. Runs in the sidecar before it
 * listens, which the agent's container waits for; may be repeated. @throws the file system's errors
 */
export const preparePod = async ({ config, layout }: PodConfig): Promise<void> => {
  for (const folder of [layout.host.inside, `${layout.host.inside}/state`, layout.host.shared]) {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    // The folder of a volume belongs to root, with our group; then its mode is not ours to change and right already.
    await chmod(folder, 0o755).catch(() => undefined);
  }
  await writeAtomically(`${layout.host.inside}/gitconfig`, gitConfigOf(config), 0o644);
  await prepareCli(config, layout);
};
