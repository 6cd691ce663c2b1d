import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readTailBelow } from './safe-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-safe-'));
  await mkdir(join(dir, 'home/a/b'), { recursive: true });
  await writeFile(join(dir, 'secret'), 'secret');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it('reads the end of a file below', async () => {
  await writeFile(join(dir, 'home/a/b/file'), '0123456789');
  expect(await readTailBelow(join(dir, 'home'), 'a/b/file', 4)).toBe('6789');
});

it.each([
  ['a link in the place of the file', () => symlink(join(dir, 'secret'), join(dir, 'home/a/b/file'))],
  [
    'a link in the place of a folder',
    async () => {
      await rm(join(dir, 'home/a'), { recursive: true });
      await mkdir(join(dir, 'b'));
      await writeFile(join(dir, 'b/file'), 'secret');
      await symlink(dir, join(dir, 'home/a'));
    },
  ],
  ['a named pipe that nobody writes to', () => execFileSync('mkfifo', [join(dir, 'home/a/b/file')])],
  ['a folder', () => mkdir(join(dir, 'home/a/b/file'))],
  ['nothing', () => undefined],
])('gives null for %s', async (_name, plant) => {
  await plant();
  expect(await readTailBelow(join(dir, 'home'), 'a/b/file', 100)).toBeNull();
});

it('refuses paths that climb', async () => {
  expect(await readTailBelow(join(dir, 'home'), '../secret', 100)).toBeNull();
});
