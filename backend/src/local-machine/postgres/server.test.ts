import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { afterAll, expect, it } from 'vitest';
import { choosePostgresHost } from './host.ts';
import { EmbeddedPostgres } from './server.ts';

const directory = mkdtempSync(join(tmpdir(), 'sac-pg-'));
mkdirSync(join(directory, 'run'));
const host = choosePostgresHost(directory, join(directory, 'run'));
const create = (): EmbeddedPostgres =>
  new EmbeddedPostgres({
    host,
    logFile: join(directory, 'postgres.log'),
    stateFile: join(directory, 'postgres.state'),
    logger: pino({ level: 'silent' }),
  });
afterAll(async () => {
  await create().stop();
  rmSync(directory, { recursive: true, force: true });
});

it('starts another one when the one it found dies before it answers', { timeout: 40_000 }, async () => {
  const first = create();
  await first.start();
  const pid = first.status.pid ?? 0;
  first.release();
  // Found, but silent: as one that is ending, or that repairs itself and fails.
  process.kill(pid, 'SIGSTOP');
  const second = create();
  const starting = second.start();
  await sleep(500);
  process.kill(pid, 'SIGKILL');
  await starting;
  expect(second.status).toMatchObject({ state: 'running' });
  expect(second.status.pid).not.toBe(pid);
  second.release();
});
