import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchCommand } from '../launch-spec.ts';
import { Screens } from './screen/screens.ts';
import { createEmulator, feed } from './testing/screen-state.ts';
import { Harness } from './testing/harness.ts';
import { Terminal } from './terminal.ts';

/** Asks for the cursor position, then shows what came back within a second, byte for byte. */
const ASK = `stty raw -echo; printf 'READY'; head -c 1 >/dev/null; printf '\\033[6n'; timeout --foreground 1 cat -v; printf DONE`;
const answersIn = (text: string): number => text.split('R').length - 1 - (text.match(/READY/g)?.length ?? 0);

describe('questions of a program', () => {
  let harness: Harness | null = null;
  afterEach(async () => {
    await harness?.stop();
    harness = null;
  });

  it('are answered once by the owner, however many watch', async () => {
    harness = await Harness.start({ main: `${ASK}; sleep 100` });
    const clients = Array.from({ length: 3 }, () => harness?.connect());
    for (const client of clients) {
      await client?.untilText('READY');
      if (client === undefined) continue;
      const emulator = createEmulator({ columns: 80, rows: 24 });
      emulator.onData((data) => client.send({ type: 'input', data: Buffer.from(data) }));
      client.onMessage = (message) => {
        if (message.type === 'output') feed(emulator, message.data);
      };
    }
    await clients[0]?.until(() => clients[0]?.state?.owner === true, 'ownership');
    clients[0]?.type('g');
    await clients[0]?.untilText('DONE');
    expect(answersIn(clients[0]?.recentText ?? '')).toBe(1);
  });

  it('are answered by the model while nobody watches, and not again by who comes later', async () => {
    harness = await Harness.start({ main: `${ASK}; cat -v` });
    await sleep(300);
    await harness.control('POST', '/terminals/main/keys', { data: Buffer.from('g').toString('base64') });
    const deadline = performance.now() + 20_000;
    const lines = async (): Promise<string> =>
      ((await harness?.control('GET', '/terminals/main/screen'))?.body as { lines: string[] }).lines.join('');
    while (!(await lines()).includes('DONE') && performance.now() < deadline) await sleep(50);
    expect(answersIn(await lines())).toBe(1);
    const late = harness.connect();
    await late.untilSync();
    late.send({ type: 'input', data: Buffer.from('x') });
    await late.untilText('x');
    expect(answersIn(await lines())).toBe(1);
  });
});

describe('loss of the screen worker', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-worker-'));
  let screens: Screens;
  let failures: Error[] = [];
  beforeEach(() => {
    failures = [];
    screens = new Screens((error) => failures.push(error));
  });
  afterEach(async () => {
    await screens.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const launch = (script: string): LaunchCommand => ({
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
  });
  const breakWorker = (): void => screens.post({ kind: 'write', id: 1, data: null as unknown as Uint8Array });
  const untilShown = async (terminal: Terminal, text: string): Promise<void> => {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const screen = await terminal.screen().catch(() => null);
      if (screen?.lines.includes(text) === true) return;
      if (performance.now() > deadline) throw new Error(`${text} not shown: ${JSON.stringify(screen)}`);
      await sleep(50);
    }
  };

  it('answers no question of the program a second time', async () => {
    const terminal = new Terminal(
      'main',
      launch("stty -icanon -echo; printf '\\033[c\\n'; cat -v"),
      { screens, records: null },
      { onChange: () => undefined, onEnd: () => undefined },
    );
    await untilShown(terminal, '^[[?1;2c');
    breakWorker();
    await untilShown(terminal, '^[[?1;2c');
    await sleep(300);
    terminal.input(Buffer.from('x'));
    await untilShown(terminal, '^[[?1;2cx');
    terminal.close(1012, 'end of the test');
    await terminal.whenGone;
  });

  it('is mended from the tail; one that keeps dying is reported', { timeout: 60_000 }, async () => {
    const terminal = new Terminal(
      'main',
      launch('echo before; read line; echo "after $line"; sleep 100'),
      { screens, records: null },
      {
        onChange: () => undefined,
        onEnd: () => undefined,
      },
    );
    await untilShown(terminal, 'before');
    breakWorker();
    await untilShown(terminal, 'before');
    terminal.input(Buffer.from('go\r'));
    await untilShown(terminal, 'after go');
    expect(failures).toEqual([]);
    for (let round = 0; round < 3 && failures.length === 0; round++) {
      breakWorker();
      const deadline = performance.now() + 5_000;
      while (
        failures.length === 0 &&
        performance.now() < deadline &&
        (await terminal.screen().catch(() => null)) === null
      )
        await sleep(20);
      await sleep(300);
    }
    expect(failures.length).toBeGreaterThan(0);
    terminal.close(1012, 'end of the test');
    await terminal.whenGone;
  });
});
