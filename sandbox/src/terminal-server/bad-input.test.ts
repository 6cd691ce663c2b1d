import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeClientFrame } from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Harness } from './testing/harness.ts';
import { RawClient, rawFrame } from './testing/raw-client.ts';
import { TestClient } from './testing/test-client.ts';

const MEBIBYTE = 1024 * 1024;
let harness: Harness;
const start = async (options: Parameters<typeof Harness.start>[0] = {}): Promise<Harness> =>
  (harness = await Harness.start(options));
afterEach(() => harness.stop());

/** Somebody else's terminal work is as quick as ever. */
const isUnharmed = async (client: TestClient): Promise<void> => {
  expect(await client.echo()).toBeLessThan(1_000);
  client.type('echo un"h"armed\r');
  await client.untilText('unharmed');
};

/** Makes a program wait until `allow` is called, however long what comes before takes. */
const untilAllowed = 'until [ -e allowed ]; do sleep 0.1; done;';
const allow = (): void => writeFileSync(join(harness.directory, 'allowed'), '');

describe('floods', () => {
  it('of input wait outside while the program does not read, and arrive whole', { timeout: 60_000 }, async () => {
    const total = 12 * MEBIBYTE;
    await start({
      main: `stty raw -echo; printf READY; ${untilAllowed} head -c ${total} | sha256sum; printf DONE; sleep 100`,
    });
    const client = harness.connect();
    await client.untilText('READY');
    const bytes = Buffer.alloc(total, 'the quick brown fox jumps over the lazy dog\n');
    client.type(bytes.toString('latin1'));
    await sleep(1_000);
    // Queue, socket buffers and one frame under way: all else is still the sender's.
    expect(total - client.socket.bufferedAmount).toBeLessThan(4 * MEBIBYTE);
    allow();
    await client.untilText('DONE', 50_000);
    expect(client.text).toContain(createHash('sha256').update(bytes).digest('hex'));
    expect(client.closeInfo).toBeNull();
  });

  it('of input by ten viewers at once lose nothing', { timeout: 60_000 }, async () => {
    const each = MEBIBYTE;
    await start({
      main: `stty raw -echo; printf READY; ${untilAllowed} head -c ${10 * each} | tr -d '\\n' | wc -c; printf DONE; sleep 100`,
    });
    const crowd = Array.from({ length: 10 }, () => harness.connect());
    await Promise.all(crowd.map((client) => client.untilText('READY')));
    for (const client of crowd) client.type('x'.repeat(each));
    await sleep(1_000);
    allow();
    await crowd[0]?.untilText('DONE', 50_000);
    expect(crowd[0]?.text).toContain(String(10 * each));
    expect(crowd.map((client) => client.closeInfo)).toEqual(crowd.map(() => null));
  });

  it('of input into a program that echoes it do not stop each other', { timeout: 60_000 }, async () => {
    const total = 4 * MEBIBYTE;
    await start({ main: `stty raw -echo; printf READY; exec cat` });
    const client = harness.connect();
    await client.untilText('READY');
    const before = client.offset;
    client.type('x'.repeat(total));
    await client.until(() => client.offset - before === total, 'all echoed', 50_000);
    expect(client.messages.filter((message) => message.type === 'sync')).toHaveLength(1);
  });

  it('a line of 8 MB without an end reaches everyone, byte for byte', { timeout: 60_000 }, async () => {
    await start();
    const [client, other] = [harness.connect(), harness.connect()];
    await Promise.all([client.untilSync(), other.untilSync()]);
    client.type('head -c 8000000 /dev/zero | tr "\\0" w; printf EN"D"\r');
    for (const viewer of [client, other]) {
      await viewer.untilText('END', 50_000);
      expect(viewer.text.includes('w'.repeat(8_000_000))).toBe(true);
    }
    const late = harness.connect();
    await late.untilText('END');
    await isUnharmed(late);
  });

  it('10,000 resizes in a second become a few, and the last one counts', { timeout: 30_000 }, async () => {
    await start();
    const [owner, other] = [harness.connect(), harness.connect()];
    await owner.until(() => owner.state?.owner === true, 'ownership');
    await other.untilSync();
    const began = performance.now();
    for (let round = 0; round < 10_000; round++) {
      owner.send({ type: 'resize', size: { columns: 40 + (round % 900), rows: 10 + (round % 90) } });
      if (round % 100 === 0) await sleep(10);
    }
    owner.send({ type: 'resize', size: { columns: 91, rows: 19 } });
    await other.until(() => other.state?.columns === 91 && other.state.rows === 19, 'the last size');
    const seconds = (performance.now() - began) / 1_000;
    const sizes = other.messages.filter((message) => message.type === 'state').length;
    expect(sizes).toBeLessThan(20 + 45 * seconds);
    owner.type('sleep 0.2; echo "now $(tput cols)x$(tput lines)"\r');
    await other.untilText('now 91x19');
  });
});

describe('frames', () => {
  const raw = (): RawClient => new RawClient(join(harness.directory, 'terminal.sock'));
  const hello = encodeClientFrame({ type: 'hello', hello: TestClient.helloOf() });
  beforeEach(async () => {
    await start();
  });

  it('cut at every byte are put together again', { timeout: 30_000 }, async () => {
    const client = raw();
    await client.drip(Buffer.from(RawClient.handshake(harness.token())));
    await client.untilText('101 Switching');
    await client.drip(rawFrame(0x82, hello));
    const typed = encodeClientFrame({ type: 'input', data: Buffer.from(`echo dri"p"ped ${'x'.repeat(200)}\r`) });
    await client.drip(rawFrame(0x82, typed));
    await client.untilText('dripped');
    // The same in fragments of one byte, with a ping between them.
    const [first = 0, ...rest] = encodeClientFrame({ type: 'input', data: Buffer.from('echo frag"m"ents\r') });
    await client.drip(rawFrame(0x02, Buffer.of(first)));
    await client.drip(rawFrame(0x89, Buffer.from('ping')));
    for (const [index, byte] of rest.entries())
      client.socket.write(rawFrame(index === rest.length - 1 ? 0x80 : 0x00, Buffer.of(byte)));
    await client.untilText('fragments');
    client.socket.destroy();
  });

  it.each<readonly [string, Buffer]>([
    ['of a reserved kind', rawFrame(0x83, Buffer.from('0x'))],
    ['of a reserved control kind', rawFrame(0x8b, Buffer.from('x'))],
    ['with reserved bits', rawFrame(0xb2, Buffer.from('0x'))],
    ['that are compressed', rawFrame(0xc2, Buffer.from('0x'))],
    ['that continue nothing', rawFrame(0x80, Buffer.from('0x'))],
    ['without a mask', Buffer.from([0x82, 0x02, 0x30, 0x78])],
    ['that claim 2^63 bytes', Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
    ['with a ping too long', rawFrame(0x89, Buffer.alloc(126))],
  ])('%s end their connection and nothing else', async (_name, bytes) => {
    const other = harness.connect();
    await other.untilSync();
    const client = raw();
    client.socket.write(RawClient.handshake(harness.token()));
    await client.untilText('101 Switching');
    client.socket.write(rawFrame(0x82, hello));
    await client.untilText('"kind":"snapshot"');
    client.socket.write(bytes);
    await client.ended;
    await isUnharmed(other);
  });

  it('of every reserved type are let pass a few times, then answered with 1008', async () => {
    const client = harness.connect();
    await client.untilSync();
    for (const type of [0x37, 0x38, 0x39, 0x00, 0xff]) client.socket.send(Buffer.of(type, 0x78));
    await isUnharmed(client);
    for (let round = 0; round < 20; round++) client.socket.send(Buffer.of(0xff, 0x78));
    expect(await client.closed).toEqual({ code: 1008, reason: expect.stringMatching(/^unknown frame type 255/) });
  });
});

describe('a viewer that lies or never reads', () => {
  it('gets no more by acknowledging what it cannot have read, and is told', { timeout: 30_000 }, async () => {
    await start();
    const honest = harness.connect();
    await honest.untilSync();
    const liar = harness.connect({ acknowledges: false });
    await liar.untilSync();
    let claimed = liar.offset;
    let received = 0;
    liar.onMessage = (message) => {
      if (message.type === 'output' || message.type === 'snapshot') received += message.data.length;
    };
    liar.freeze();
    honest.type('yes 0123456789 | head -c 12000000; echo E"N"D\r');
    const lies = setInterval(() => liar.send({ type: 'acknowledge', offset: (claimed += 256 * 1024) }), 10);
    try {
      await honest.untilText('END', 25_000);
    } finally {
      clearInterval(lies);
    }
    liar.thaw();
    expect(await liar.closed).toEqual({ code: 1008, reason: expect.stringMatching(/^acknowledge: \d+ is more than/) });
    expect(received).toBeLessThan(2 * MEBIBYTE);
    await isUnharmed(honest);
  });

  it('takes nothing from the others, whose bytes are exact', { timeout: 30_000 }, async () => {
    await start();
    const [fast, frozen] = [harness.connect(), harness.connect()];
    await Promise.all([fast.untilSync(), frozen.untilSync()]);
    frozen.freeze();
    const before = fast.text.length;
    fast.type('seq 1 500000; echo E"N"D\r');
    await fast.untilText('END', 25_000);
    const expected = createHash('sha256');
    for (let line = 1; line <= 500_000; line++) expected.update(`${line}\r\n`);
    const shown = fast.text.slice(before);
    const begin = shown.indexOf('1\r\n2\r\n');
    const numbers = shown.slice(begin, shown.indexOf('END'));
    expect(createHash('sha256').update(numbers).digest('hex')).toBe(expected.digest('hex'));
    const thawedAt = performance.now();
    frozen.thaw();
    await frozen.until(() => frozen.offset === fast.offset, 'exact again');
    expect(performance.now() - thawedAt).toBeLessThan(5_000);
    expect(frozen.text).toContain('END');
  });
});

describe('connections that say nothing', () => {
  it('neither as TCP nor as WebSocket keep others out for long', { timeout: 60_000 }, async () => {
    await start();
    const inBatches = async <T>(count: number, open: () => T, opened: (one: T) => Promise<unknown>): Promise<T[]> => {
      const all: T[] = [];
      while (all.length < count) {
        const batch = Array.from({ length: Math.min(100, count - all.length) }, open);
        all.push(...batch);
        await Promise.all(batch.map(opened));
        await sleep(10);
      }
      return all;
    };
    const silent = await inBatches(
      2_200,
      () => new RawClient(join(harness.directory, 'terminal.sock')),
      (client) => Promise.race([once(client.socket, 'connect').catch(() => undefined), client.ended]),
    );
    await Promise.all(silent.map((client) => client.ended));
    const speechless = await inBatches(
      1_100,
      () => harness.connect({ hello: null }),
      (client) => client.opened.catch(() => undefined),
    );
    const outcomes = await Promise.all(
      speechless.map((client) =>
        client.opened.then(
          async () => String((await client.closed).code),
          (error: unknown) => String(error),
        ),
      ),
    );
    const answers = new Set(outcomes);
    expect([...answers].filter((answer) => answer !== '1008' && !answer.endsWith('response: 503'))).toEqual([]);
    expect(outcomes.filter((answer) => answer === '1008').length).toBeGreaterThanOrEqual(1_024);
    const client = harness.connect();
    await client.untilSync();
    await isUnharmed(client);
  });
});

describe('long sequences of a program', () => {
  it('a title of 1 MB is cut, a clipboard of 5 MB goes through whole, and who joins inside is right', async () => {
    await start();
    const client = harness.connect();
    await client.untilSync();
    client.type(`printf '\\033]2;'; head -c 1000000 /dev/zero | tr '\\0' t; printf '\\007'; echo TIT"L"ED\r`);
    await client.untilText('TITLED');
    await client.until(() => client.title === 't'.repeat(256), 'title');
    client.type(
      `printf '\\033]52;c;'; head -c 5000000 /dev/zero | tr '\\0' Q; sleep 1; printf '\\007'; echo CLIP"P"ED\r`,
    );
    const before = client.offset;
    await client.until(() => client.offset - before > 5_000_000, 'clipboard');
    const late = harness.connect();
    await late.untilSync();
    for (const viewer of [client, late]) await viewer.untilText('CLIPPED');
    const shown = Buffer.concat(client.output).toString('latin1');
    const start52 = shown.indexOf('\x1b]52;c;Q');
    expect(shown.slice(start52, start52 + 5_000_008)).toBe(`\x1b]52;c;${'Q'.repeat(5_000_000)}\x07`);
    await isUnharmed(late);
  });
});

describe("a clock that differs from the server's", () => {
  // What the server signs for thirty seconds, seen from a node whose clock is five minutes before or behind.
  it.each([-300, 300])('by %d seconds opens terminals all the same, once for each token', async (skewSeconds) => {
    await start();
    const token = harness.token({ expiresInSeconds: 30 + skewSeconds });
    const client = harness.connect({ token });
    await client.untilSync();
    await isUnharmed(client);
    const again = harness.connect({ token });
    expect(await again.closed).toEqual({ code: 4001, reason: expect.stringMatching(/used before/) });
  });
});

describe('a clock that steps', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  it('neither ends terminals nor lets a token in twice', async () => {
    await start();
    const steady = harness.connect();
    await steady.untilSync();
    const token = harness.token();
    const first = harness.connect({ token });
    await first.untilSync();
    const realMs = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: realMs });
    for (const stepMs of [3_600_000, -86_400_000, 0]) {
      vi.setSystemTime(realMs + stepMs);
      const next = harness.connect();
      await next.untilSync();
      next.cut();
      await isUnharmed(steady);
    }
    const again = harness.connect({ token });
    expect(await again.closed).toEqual({ code: 4001, reason: expect.stringMatching(/used before/) });
    expect(first.closeInfo).toBeNull();
  });
});
