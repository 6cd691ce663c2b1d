import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './runners.ts';

/** The folder of a kit that makes a cluster on this machine; null where there is none. */
export const findKit = (): string | null => {
  const places = [process.env['SAC_CLUSTER_KIT'] ?? '', resolve(root, '../shared/cluster')];
  return places.find((place) => place !== '' && existsSync(join(place, 'build-image'))) ?? null;
};
