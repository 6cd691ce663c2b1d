import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openInheritableListener } from '../supervisor/listener.ts';
import { mintToken, TestClient } from '../terminal-server/testing/test-client.ts';

const entrypoint = new URL('./terminal-server.ts', import.meta.url).pathname;
const key = 'k'.repeat(43);
let directory = '';
let child: ChildProcess | null = null;

afterEach(async () => {
  if (child !== null && child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
  rmSync(directory, { recursive: true, force: true });
});

const writeSpec = (): string => {
  directory = mkdtempSync(join(tmpdir(), 'sac-entry-'));
  const launch = {
    command: '/bin/bash',
    args: ['--norc', '--noprofile'],
    env: { HOME: directory, PATH: '/usr/bin:/bin', PS1: '$ ' },
    cwd: directory,
  };
  const path = join(directory, 'spec.json');
  writeFileSync(
    path,
    JSON.stringify({
      agentUid: 'a',
      generation: 1,
      terminalKey: key,
      workspaceDir: directory,
      main: { ...launch, resume: null },
      shell: launch,
    }),
  );
  return path;
};

const start = (args: readonly string[], env: Record<string, string>, fds: readonly number[] = []): ChildProcess =>
  (child = spawn(process.execPath, [entrypoint, ...args], { env, stdio: ['ignore', 'pipe', 'pipe', ...fds] }));

const outputOf = async (running: ChildProcess, until: RegExp): Promise<string> => {
  let text = '';
  for (const stream of [running.stdout, running.stderr])
    stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const deadline = performance.now() + 20_000;
  while (!until.test(text)) {
    if (performance.now() > deadline) throw new Error(`no ${until} in: ${text}`);
    await sleep(20);
  }
  return text;
};
const residentBytes = (pid: number): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

describe('entrypoint', () => {
  it(
    'serves on descriptors it was given, within its memory, and ends everything on SIGTERM',
    { timeout: 60_000 },
    async () => {
      const spec = writeSpec();
      const viewersPath = join(directory, 't.sock');
      const [viewers, control] = [
        openInheritableListener(viewersPath),
        openInheritableListener(join(directory, 'c.sock')),
      ];
      const running = start(['--spec', spec], { SAC_TERMINAL_LISTEN: 'fd:3', SAC_CONTROL_LISTEN: 'fd:4' }, [
        viewers.fd,
        control.fd,
      ]);
      viewers.release();
      control.release();
      await outputOf(running, /"ready"/);
      const client = new TestClient({
        url: `ws+unix:${viewersPath}:/ws`,
        token: mintToken({ key, agentUid: 'a', generation: 1 }),
      });
      await client.untilSync();
      client.type('ls -C /proc/$$/fd; echo $$ > pid; env\r');
      await client.untilText('PS1=');
      expect(client.text).toMatch(/0 +1 +2 +255\r\n/);
      expect(client.text).not.toMatch(/SAC_|kkkkkkkk/);
      const shell = Number(readFileSync(join(directory, 'pid'), 'utf8'));
      await sleep(1_000);
      const resident = residentBytes(running.pid ?? 0);
      // Run from its TypeScript source; the bundle needs a third less (102 MiB measured).
      expect(resident / 2 ** 20, 'MiB resident with one idle terminal').toBeLessThan(200);
      const exited = once(running, 'exit');
      running.kill('SIGTERM');
      expect((await client.closed).code).toBe(1012);
      expect(await exited).toEqual([0, null]);
      expect(existsSync(`/proc/${shell}`)).toBe(false);
    },
  );

  it.each<readonly [string, readonly string[], Record<string, string>, RegExp]>([
    ['no spec', [], { SAC_TERMINAL_LISTEN: 'fd:3', SAC_CONTROL_LISTEN: 'fd:4' }, /--spec <file> is missing/],
    [
      'no address',
      ['--spec', '/nowhere'],
      { SAC_CONTROL_LISTEN: 'fd:4' },
      /SAC_TERMINAL_LISTEN: is not set; expected fd:<number>/,
    ],
    [
      'a wrong address',
      ['--spec', '/nowhere'],
      { SAC_TERMINAL_LISTEN: 'here', SAC_CONTROL_LISTEN: 'fd:4' },
      /SAC_TERMINAL_LISTEN: is .*here/,
    ],
    [
      'an open control port',
      ['--spec', '/nowhere'],
      { SAC_TERMINAL_LISTEN: 'unix:/tmp/x', SAC_CONTROL_LISTEN: 'tcp:127.0.0.1:0' },
      /SAC_CONTROL_LISTEN: tcp is not allowed/,
    ],
    [
      'a missing file',
      ['--spec', '/nowhere'],
      { SAC_TERMINAL_LISTEN: 'unix:/tmp/x', SAC_CONTROL_LISTEN: 'unix:/tmp/y' },
      /ENOENT/,
    ],
  ])('says what is wrong: %s', async (_name, args, env, expected) => {
    directory = mkdtempSync(join(tmpdir(), 'sac-entry-'));
    const running = start(args, env);
    await outputOf(running, expected);
    if (running.exitCode === null) await once(running, 'exit');
    expect(running.exitCode).toBe(1);
  });
});
