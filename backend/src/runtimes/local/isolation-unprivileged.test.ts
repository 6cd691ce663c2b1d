import { spawn } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Nobody's. */
const UID = 61_111;
const TIMEOUT_MS = 240_000;
const root = join(import.meta.dirname, '../../../..');
const isRoot = process.getuid?.() === 0;

/** Whether a user without rights can come to the sources: a checkout below /root has doors in between. */
const isOpenToAll = (path: string): boolean => {
  const folders = [path];
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) folders.push(dirname(folder));
  return folders.every((folder) => (statSync(folder).mode & 0o001) !== 0);
};
const isReachable = isRoot && isOpenToAll(root);

/**
 * On a machine where tests run as root the user-namespace way of isolation would never be taken. So the suite of the
 * local runtime runs once more as somebody without rights. Where tests run without rights it has been run that way already.
 */
describe.skipIf(!isReachable)('the local runtime of a server without rights', () => {
  let home: string;
  beforeAll(() => {
    accessSync('/usr/bin/setpriv', constants.X_OK);
    home = mkdtempSync(join(tmpdir(), 'sac-unprivileged-'));
    chownSync(home, UID, UID);
    // Ours may be private to us, as the one in .toolchain is.
    copyFileSync(process.execPath, join(home, 'node'));
    chmodSync(join(home, 'node'), 0o755);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const run = (args: readonly string[]): Promise<{ code: number | null; output: string }> =>
    new Promise((resolve, reject) => {
      const identity = ['--reuid', String(UID), '--regid', String(UID), '--clear-groups', '--no-new-privs'];
      const child = spawn('/usr/bin/setpriv', [...identity, join(home, 'node'), ...args], {
        cwd: root,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home, TMPDIR: home, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS - 10_000);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000)));
      }
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(timer);
        resolve({ code, output });
      });
    });

  it('passes the same suite in user namespaces', { timeout: TIMEOUT_MS }, async () => {
    const config = join(root, 'backend/test/unprivileged.config.ts');
    const { code, output } = await run([
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      config,
      '--configLoader',
      'native',
    ]);
    expect(code, output).toBe(0);
    expect(output).toMatch(/Test Files +3 passed \(3\)/);
    // Isolated, not merely running: the suite would pass over that only if it had been changed.
    expect(output).not.toMatch(/skipped/);
  });
});
