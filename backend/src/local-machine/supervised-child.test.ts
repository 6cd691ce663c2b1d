import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { SupervisedChild } from './supervised-child.ts';

let dir: string;
let child: SupervisedChild;
afterEach(async () => {
  await child.stop();
  await rm(dir, { recursive: true, force: true });
});

it('is tried again while it cannot be set up, and nothing is thrown at the server', async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-child-'));
  const script = join(dir, 'child.mjs');
  await writeFile(script, 'setInterval(() => undefined, 1_000)');
  let attempts = 0;
  child = new SupervisedChild({
    name: 'child',
    script,
    env: {},
    logFile: join(dir, 'logs/child.log'), // no such folder at first
    logger: pino({ level: 'silent' }),
    stopGraceMs: 1_000,
    onSpawn: () => {
      attempts += 1;
      if (attempts === 1) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    },
  });
  child.start();
  expect(child.status.state).toBe('restarting');
  await mkdir(join(dir, 'logs'));
  await vi.waitFor(() => expect(attempts).toBe(2));
  expect(child.status.state).toBe('running');
});
