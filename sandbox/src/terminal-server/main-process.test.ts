import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediately, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { restartPolicy, withResume } from './main-process.ts';
import { Harness } from './testing/harness.ts';
import { TestClient } from './testing/test-client.ts';
import type { SandboxState } from './terminals.ts';

let harness: Harness | null = null;
afterEach(async () => {
  await harness?.stop();
  harness = null;
});

const mainOf = async (server: Harness): Promise<SandboxState['main']> =>
  ((await server.control('GET', '/state')).body as SandboxState).main;
const untilMain = async (
  server: Harness,
  condition: (main: SandboxState['main']) => boolean,
  what: string,
): Promise<SandboxState['main']> => {
  const deadline = performance.now() + 25_000;
  for (;;) {
    const main = await mainOf(server);
    if (condition(main)) return main;
    if (performance.now() > deadline) throw new Error(`${what}: not within 25 s, main is ${JSON.stringify(main)}`);
    await sleep(25);
  }
};

describe('main', () => {
  it('runs without a viewer and starts again when it ends, as a new stream', async () => {
    harness = await Harness.start();
    const first = harness.connect();
    await first.untilSync();
    first.type('kill -KILL $$\r');
    expect(await first.closed).toEqual({ code: 1000, reason: 'process ended: SIGKILL' });
    expect(first.state?.exit).toEqual({ code: null, signal: 'SIGKILL' });
    const main = await untilMain(harness, ({ restarts, running }) => restarts === 1 && running, 'restart');
    expect(main).toMatchObject({ gaveUp: false, exit: null });
    const second = harness.connect();
    await second.untilSync();
    expect(second.sync?.stream).not.toBe(first.sync?.stream);
  });

  it('shows a slow viewer the rest and how it ended, also when the next one runs already', async () => {
    const lines = 200_000;
    harness = await Harness.start({ main: `read _; seq ${lines}; echo last words; exit 3` });
    const slow = harness.connect({ acknowledges: false });
    await slow.untilSync();
    slow.type('go\r');
    await untilMain(harness, ({ restarts, running }) => restarts === 1 && running, 'restart');
    expect(slow.closeInfo).toBeNull();
    slow.onMessage = () => slow.send({ type: 'acknowledge', offset: slow.offset });
    slow.send({ type: 'acknowledge', offset: slow.offset });
    expect(await slow.closed).toEqual({ code: 1000, reason: 'process ended: code 3' });
    expect(slow.state?.exit).toEqual({ code: 3, signal: null });
    expect(slow.recentText).toContain('last words');
  });

  it('gives up after five exits, keeps the last output, and a restart resets that', { timeout: 40_000 }, async () => {
    harness = await Harness.start({ main: 'printf "\\033[31mcannot start\\033[m: no model\\r\\n"; exit 4' });
    const main = await untilMain(harness, ({ gaveUp }) => gaveUp, 'giving up');
    expect(main).toEqual({
      running: false,
      pid: null,
      startedAt: expect.any(String) as string,
      restarts: 4,
      gaveUp: true,
      exit: { code: 4, signal: null },
      output: 'cannot start: no model',
    });
    const viewer = harness.connect();
    expect(await viewer.closed).toEqual({ code: 1000, reason: 'process ended: code 4' });
    expect(viewer.text).toContain('cannot start');
    expect(viewer.state?.exit).toEqual({ code: 4, signal: null });
    expect((await harness.control('POST', '/main/restart')).status).toBe(202);
    await untilMain(harness, ({ restarts }) => restarts === 5, 'started again');
  });

  it('shows a command that cannot be started', async () => {
    harness = await Harness.start({ main: 'exec /does/not/exist' });
    const main = await untilMain(harness, ({ exit }) => exit !== null, 'exit');
    expect(main.exit?.code).toBe(127);
    expect(main.output).toContain('/does/not/exist');
  });

  it('is started once when it is restarted in the moment of its end', async () => {
    harness = await Harness.start({ main: 'if [ -e second ]; then sleep 100; fi; touch second; exit 3' });
    const { terminals } = harness.server;
    while (terminals.find('main')?.exit === null) await immediately();
    // What it showed last is still being read, so its end has not been told yet.
    expect(terminals.state.main.exit).toBeNull();
    terminals.restartMain();
    await sleep(2 * restartPolicy.firstDelayMs);
    expect(terminals.state.main).toMatchObject({ running: true, restarts: 1 });
  });

  it('forgets who comes back after its end', async () => {
    harness = await Harness.start({ main: 'read line; exit 4' });
    const first = harness.connect();
    await first.untilSync();
    first.type('x\r');
    await first.closed;
    const hello = TestClient.helloOf({ stream: first.sync?.stream ?? '', offset: first.offset });
    const again = harness.connect({ hello });
    expect((await again.closed).code).toBe(1000);
    expect(again.sync?.kind).toBe('resume');
    expect(harness.server.terminals.find('main')?.viewerCount).toBe(0);
  });

  it('keeps the last output of a flood, to the byte', async () => {
    harness = await Harness.start({ main: 'stty -opost; head -c 1 >/dev/null; seq 200000; printf LAST; exit 5' });
    const viewer = harness.connect();
    await viewer.untilSync();
    viewer.type('\r');
    expect((await viewer.closed).code).toBe(1000);
    expect(viewer.text.endsWith('200000\nLAST')).toBe(true);
    expect(viewer.state?.exit).toEqual({ code: 5, signal: null });
  });
});

describe('resuming a conversation', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-resume-'));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const launch = { command: 'claude', args: ['--x'], env: {}, cwd: '/' };

  it('adds the arguments only when an id is recorded, and nothing but an id', () => {
    const idFile = join(directory, 'id');
    const resume = { idFile, args: ['--resume', '{id}'] };
    expect(withResume(launch, null).args).toEqual(['--x']);
    expect(withResume(launch, resume).args).toEqual(['--x']);
    writeFileSync(idFile, 'c0ffee-1234\n');
    expect(withResume(launch, resume).args).toEqual(['--x', '--resume', 'c0ffee-1234']);
    writeFileSync(idFile, '--dangerous --flag');
    expect(withResume(launch, resume).args).toEqual(['--x']);
  });
});
