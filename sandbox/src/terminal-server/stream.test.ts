import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { EmulatorClient } from './testing/emulator-client.ts';
import { Harness } from './testing/harness.ts';
import { PLAYER } from './testing/player.ts';
import { randomOf } from './testing/random.ts';
import { recordedOutput } from './testing/recorded-output.ts';
import { sampleOutput } from './testing/sample-output.ts';
import { TestClient } from './testing/test-client.ts';

let harness: Harness | null = null;
afterEach(async () => {
  await harness?.stop();
  harness = null;
});
const start = async (options: Parameters<typeof Harness.start>[0] = {}): Promise<Harness> =>
  (harness = await Harness.start(options));

describe('reconnecting', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const cuts = Number(process.env['SAC_TEST_CUTS'] ?? 100);

  it.each([
    ['what Claude Code and a shell wrote', recordedOutput],
    ['everything a program may write', (random: () => number) => sampleOutput(random, 600_000)],
  ])(
    `${cuts} cuts at random bytes of %s: nothing lost or repeated, the screen is that of a viewer never cut (seed ${seed})`,
    { timeout: 60_000 + 120 * cuts },
    async (_name, makeOutput) => {
      const random = randomOf(seed);
      const output = makeOutput(random);
      const server = await start({ main: PLAYER });
      writeFileSync(join(server.directory, 'out.bin'), output);
      const uncut = new EmulatorClient();
      const steady = server.connect({ hello: TestClient.helloOf({}, 100, 30) });
      uncut.follow(steady);
      await steady.untilText('READY');
      const begin = steady.offset;
      const cut = new EmulatorClient();
      let hello = TestClient.helloOf({}, 100, 30);
      steady.type('go');
      const end = begin + output.length;
      for (let round = 0; round < cuts; round++) {
        const client = server.connect({ hello });
        cut.follow(client);
        await client.untilSync();
        if (hello.sac?.stream !== undefined) expect(client.sync?.kind, `seed ${seed}, round ${round}`).toBe('resume');
        const target = Math.min(end - 1, cut.offset + Math.floor((random() * 2 * (end - cut.offset)) / (cuts - round)));
        await new Promise<void>((resolve) => cut.cutAt(target, resolve));
        // Away for up to thirty seconds of a program a thousand times as fast as the recorded one.
        await sleep(random() * 30);
        hello = TestClient.helloOf({ stream: cut.stream ?? '', offset: cut.offset }, 100, 30);
      }
      const last = server.connect({ hello });
      cut.follow(last);
      await last.until(() => cut.offset === end, 'end of output of the cut viewer', 60_000);
      await steady.until(() => uncut.offset === end, 'end of output of the steady viewer', 60_000);
      const context = `seed ${seed}`;
      expect(Buffer.concat(uncut.shown).subarray(-output.length).equals(output), context).toBe(true);
      expect(Buffer.concat(cut.shown).subarray(-output.length).equals(output), context).toBe(true);
      expect(cut.snapshots, context).toBe(1);
      expect(cut.state, context).toEqual(uncut.state);
    },
  );

  it(`a new device at any moment sees the same screen (seed ${seed})`, { timeout: 120_000 }, async () => {
    const random = randomOf(seed);
    const output = sampleOutput(random, 400_000);
    const server = await start({ main: PLAYER });
    writeFileSync(join(server.directory, 'out.bin'), output);
    const uncut = new EmulatorClient();
    const steady = server.connect();
    uncut.follow(steady);
    await steady.untilText('READY');
    const end = steady.offset + output.length;
    steady.type('go');
    const devices: { readonly client: TestClient; readonly shown: EmulatorClient }[] = [];
    for (let device = 0; device < 25; device++) {
      await sleep(random() * 30);
      const client = server.connect({ hello: TestClient.helloOf({ wantsOwnership: false }) });
      const shown = new EmulatorClient();
      shown.follow(client);
      devices.push({ client, shown });
    }
    await steady.until(() => uncut.offset === end, 'end of output', 60_000);
    const visible = ({ emulator }: EmulatorClient): string[] =>
      Array.from(
        { length: emulator.rows },
        (_, row) => emulator.buffer.active.getLine(emulator.buffer.active.baseY + row)?.translateToString(true) ?? '',
      );
    for (const [index, { client, shown }] of devices.entries()) {
      await client.until(() => shown.offset === end, `device ${index}`, 60_000);
      const { normal: _a, ...modes } = shown.state as Record<string, unknown>;
      const { normal: _b, ...expected } = uncut.state as Record<string, unknown>;
      expect(visible(shown), `seed ${seed}, device ${index}`).toEqual(visible(uncut));
      expect(modes, `seed ${seed}, device ${index}`).toEqual(expected);
    }
  });

  it('with an offset from the future, of another stream, or older than the tail gives a snapshot', async () => {
    const server = await start();
    const first = server.connect();
    await first.untilSync();
    const stream = first.sync?.stream ?? '';
    const kindOf = async (sac: Parameters<typeof TestClient.helloOf>[0]): Promise<string | undefined> => {
      const client = server.connect({ hello: TestClient.helloOf(sac) });
      await client.untilSync();
      return client.sync?.kind;
    };
    expect(await kindOf({ stream, offset: 10 ** 9 })).toBe('snapshot');
    expect(await kindOf({ stream: 'other', offset: 0 })).toBe('snapshot');
    expect(await kindOf({ stream, offset: 0 })).toBe('resume');
    first.type('head -c 5000000 /dev/zero | tr "\\0" x; echo; echo do"n"e\r');
    await first.untilText('done', 60_000);
    expect(await kindOf({ stream, offset: 0 })).toBe('snapshot');
    expect(await kindOf({ stream, offset: first.offset })).toBe('resume');
  });

  it('replays size changes exactly where they happened', async () => {
    const server = await start();
    const owner = server.connect();
    await owner.untilSync();
    const spectator = new EmulatorClient();
    const watching = server.connect({ claims: { mode: 'view' } });
    spectator.follow(watching);
    await watching.untilSync();
    const { stream, offset } = spectator;
    // The size that follows here stands before the next byte, so that a viewer who returns to this place has it at once.
    for (const columns of [60, 100, 45]) {
      owner.send({ type: 'resize', size: { columns, rows: 20 } });
      owner.type(`sleep 0.1; echo at "$(tput cols)"; seq -s ' ' 60\r`);
      await owner.untilText(`at ${columns}`);
    }
    await watching.until(() => spectator.offset === owner.offset && spectator.emulator.cols === 45, 'spectator');
    const late = new EmulatorClient();
    late.emulator.resize(80, 24);
    const back = server.connect({
      claims: { mode: 'view' },
      hello: TestClient.helloOf({ stream: stream ?? '', offset }),
    });
    late.follow(back);
    await back.until(() => late.offset === owner.offset && late.emulator.cols === 45, 'replay');
    const sizes = back.messages.flatMap((message) => (message.type === 'state' ? [message.state.columns] : []));
    expect([back.sync?.columns, ...sizes].filter((columns, index, all) => columns !== all[index - 1])).toEqual([
      60, 100, 45,
    ]);
    const text = ({ emulator }: EmulatorClient): string[] =>
      Array.from(
        { length: 20 },
        (_, row) => emulator.buffer.active.getLine(emulator.buffer.active.baseY + row)?.translateToString(true) ?? '',
      );
    expect(text(late)).toEqual(text(spectator));
  });
});

describe('slow viewers', () => {
  it(
    'never slow the PTY or others, stay bounded, and are exact again when they read',
    { timeout: 60_000 },
    async () => {
      const server = await start();
      const fast = server.connect();
      await fast.untilSync();
      const frozen = new EmulatorClient();
      const client = server.connect({ hello: TestClient.helloOf({ wantsOwnership: false }) });
      frozen.follow(client);
      await client.untilSync();
      client.freeze();
      const before = fast.offset;
      fast.type('yes 0123456789 | head -c 20000000; echo E"N"D\r');
      await sleep(1_000);
      expect(await fast.echo()).toBeLessThan(500);
      await fast.untilText('END', 30_000);
      expect(fast.offset - before).toBeGreaterThan(20_000_000);
      expect(client.offset).toBeLessThan(before + 2 * 1024 * 1024);
      client.thaw();
      await client.until(() => frozen.offset === fast.offset, 'caught up', 10_000);
      expect(frozen.snapshots).toBe(2);
      const lines = frozen.emulator.buffer.active;
      expect(
        Array.from({ length: 24 }, (_, row) => lines.getLine(lines.baseY + row)?.translateToString(true)).join('\n'),
      ).toContain('END');
    },
  );

  it(
    'when all are frozen the program runs on after 2 s, and the screen is right afterwards',
    { timeout: 60_000 },
    async () => {
      const server = await start();
      const shown = new EmulatorClient();
      const client = server.connect();
      shown.follow(client);
      await client.untilSync();
      client.type('head -c 20000000 /dev/zero | tr "\\0" z; echo; echo "AL""L"; touch "$HOME/finished"\r');
      await client.untilText('zzz');
      client.freeze();
      const began = performance.now();
      const { existsSync } = await import('node:fs');
      while (!existsSync(join(server.directory, 'finished'))) {
        expect(performance.now() - began).toBeLessThan(30_000);
        await sleep(50);
      }
      client.thaw();
      await client.until(
        () =>
          shown.emulator.buffer.active
            .getLine(shown.emulator.buffer.active.baseY + shown.emulator.buffer.active.cursorY - 1)
            ?.translateToString(true) === 'ALL',
        'exact again',
        5_000,
      );
      expect(shown.snapshots).toBeGreaterThanOrEqual(2);
    },
  );

  it('a viewer that never acknowledges gets at most 512 KiB', { timeout: 30_000 }, async () => {
    const server = await start();
    const silent = server.connect({ acknowledges: false });
    await silent.untilSync();
    silent.type('head -c 3000000 /dev/zero | tr "\\0" y; touch "$HOME/finished"\r');
    await sleep(3_500);
    expect(silent.offset + Buffer.concat(silent.snapshot).length).toBeLessThanOrEqual(512 * 1024);
    expect(silent.offset).toBeGreaterThan(500 * 1024);
    silent.send({ type: 'acknowledge', offset: silent.offset });
    await silent.until(
      () => silent.sync?.kind === 'snapshot' && silent.sync.offset > 3_000_000,
      'a snapshot of what it missed',
    );
  });

  it('a paused viewer gets nothing, others everything, and it goes on where it was', async () => {
    const server = await start();
    const other = server.connect();
    await other.untilSync();
    const hidden = server.connect({ hello: TestClient.helloOf({ wantsOwnership: false }) });
    await hidden.untilSync();
    hidden.send({ type: 'pause' });
    await hidden.echo();
    const before = hidden.offset;
    other.type('echo on"e"; seq 1000 | tail -1\r');
    await other.untilText('1000');
    await hidden.echo();
    expect(hidden.offset).toBe(before);
    hidden.send({ type: 'resume' });
    await hidden.untilText('1000');
    expect(hidden.messages.filter((message) => message.type === 'sync')).toHaveLength(1);
    expect(hidden.offset).toBe(other.offset);
  });
});
