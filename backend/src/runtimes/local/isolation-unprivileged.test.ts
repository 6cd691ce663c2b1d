import { spawn } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Nobody's. */
const UID = 61_111;
const TIMEOUT_MS = 240_000;
const root = join(import.meta.dirname, '../../../..');
const isRoot = process.getuid?.() === 0;

/**
 * On a machine where tests run as root the user-namespace way of isolation would never be taken. So the suite of the
 * local runtime runs once more as somebody without rights. Where tests run without rights it has been run that way already,
 * and nothing is left out.
 */
describe.runIf(isRoot)('the local runtime of a server without rights', () => {
  let home: string;
  let sources: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'sac-unprivileged-'));
    chownSync(home, UID, UID);
    sources = join(home, 'sources');
    mkdirSync(sources);
    // Ours may be private to us, as the one in .toolchain is.
    copyFileSync(process.execPath, join(home, 'node'));
    chmodSync(join(home, 'node'), 0o755);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  /** `args` are paths below the sources, which are shown at a place of the user's own: /root, say, is closed to it. */
  const run = (args: readonly string[]): Promise<{ code: number | null; output: string }> =>
    new Promise((resolve, reject) => {
      const identity = ['--reuid', String(UID), '--regid', String(UID), '--clear-groups', '--no-new-privs'];
      const enter = ['--mount', 'sh', '-c', 'mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"', root, sources];
      const program = ['/usr/bin/setpriv', ...identity, join(home, 'node'), ...args];
      const child = spawn('/usr/bin/unshare', [...enter, ...program], {
        cwd: '/',
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
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--configLoader', 'native'];
    const { code, output } = await run([...vitest, '--config', 'backend/test/unprivileged.config.ts']);
    expect(code, output).toBe(0);
    expect(output).toMatch(/Test Files +3 passed \(3\)/);
    // Isolated, not merely running: the suite would pass over that only if it had been changed.
    expect(output).not.toMatch(/skipped/);
  });
});
