import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Terminal } from '@xterm/headless';
import { Harness, type HarnessOptions } from '../testing/harness.ts';
import { randomOf } from '../testing/random.ts';
import { RecordClient, type CastEvent, type CastSegment } from '../testing/record-client.ts';
import { sampleOutput } from '../testing/sample-output.ts';
import { createEmulator, feed, screenState } from '../testing/screen-state.ts';
import { TestClient } from '../testing/test-client.ts';

const MEBIBYTE = 1024 * 1024;
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A file system of 256 KiB; null where this process may not mount one. In CI nothing is left out: there it fails. */
const smallDisk = ((): string | null => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', directory], { stdio: 'pipe' });
    return directory;
  } catch (error) {
    rmSync(directory, { recursive: true });
    if (process.env['CI'] !== undefined) throw error;
    process.stderr.write(`Left out, a disk of its own cannot be mounted here: ${String(error)}\n`);
    return null;
  }
})();
afterAll(() => {
  if (smallDisk === null) return;
  execFileSync('umount', ['-l', smallDisk]);
  rmSync(smallDisk, { recursive: true });
});

const temporary = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-recording-'));
  stops.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

const start = async (
  options: HarnessOptions & { totalBytes?: number; isOn?: boolean; records?: string } = {},
): Promise<{ harness: Harness; records: string }> => {
  const { totalBytes = 16 * MEBIBYTE, isOn = true, records = join(temporary(), 'records'), ...rest } = options;
  const harness = await Harness.start({ ...rest, recording: { directory: records, totalBytes, isOn } });
  stops.push(() => harness.stop());
  return { harness, records };
};

/** Writes `out.bin` to a raw terminal, slowly enough to be no flood, once a line arrives. */
const player = (pieceBytes: number, pauseMs: number): string => `stty raw -echo; printf READY; head -c 2 > /dev/null
exec node -e 'const b=require("fs").readFileSync(process.env.HOME+"/out.bin");let i=0;const n=()=>{if(i>=b.length)return setTimeout(()=>{},1e9);
const c=b.subarray(i,i+=1+Math.floor(Math.random()*${pieceBytes}));process.stdout.write(c,()=>setTimeout(n,Math.random()*${pauseMs}))};n()'`;

const outputOf = (segments: readonly CastSegment[]): string =>
  segments
    .flatMap(({ events }) => events.slice(1))
    .filter(({ kind }) => kind === 'o')
    .map(({ data }) => data)
    .join('');

const resize = (terminal: Terminal, size: string): void => {
  const [columns = 0, rows = 0] = size.split('x').map(Number);
  terminal.resize(columns, rows);
};
const show = (terminal: Terminal, { kind, data }: CastEvent): void => {
  if (kind === 'o') feed(terminal, data);
  if (kind === 'r') resize(terminal, data);
};

/**
 * What a person sees and what the next byte would meet; lines that have scrolled away are not a sight. The emulator counts the
 * row of a saved cursor from the first line it keeps, so that row moves while lines scroll and none is given up yet: that depends
 * on how many lines there are, which differs here.
 */
const visibleState = (terminal: Terminal): object => {
  const state = screenState(terminal) as {
    normal: { lines: string[]; ybase: number; saved: [number, number, string] };
  };
  const { lines, ybase, saved, ...rest } = state.normal;
  const [savedColumn, , savedPen] = saved;
  return { ...state, normal: { ...rest, saved: [savedColumn, savedPen], lines: lines.slice(ybase) } };
};

describe('what is recorded', () => {
  it('is what a viewer saw, with its times, sizes and end, and nothing that was typed', async () => {
    const { harness } = await start({
      shell:
        'stty -echo; echo ready; read secret; printf "caf\\303"; sleep 0.1; printf "\\251 \\377ok\\n"; read x; exit 3',
    });
    await harness.control('POST', '/terminals');
    const viewer = harness.connect({ claims: { terminal: 'shell-1' } });
    await viewer.untilText('ready');
    expect(viewer.state?.recorded).toBe(true);
    viewer.type('hunter2\r');
    await viewer.untilText('ok');
    viewer.send({ type: 'resize', size: { columns: 66, rows: 20 } });
    await viewer.until(() => viewer.state?.columns === 66, 'resize');
    viewer.type('\r');
    expect((await viewer.closed).reason).toMatch(/code 3/);
    const reader = new RecordClient(harness, { terminal: 'shell-1' });
    await reader.client.opened;
    const list = await reader.list();
    expect(list).toMatchObject({ recorded: false, terminals: ['main', 'shell-1'] });
    const [segment] = await reader.segments();
    expect(segment?.header).toMatchObject({ version: 2, width: 120, height: 36, sac: { offset: 0, continues: false } });
    expect(segment?.events[0]).toEqual({ atMs: 0, kind: 'o', data: '\x1bc' });
    const text = outputOf(segment ? [segment] : []);
    expect(text).toBe('ready\r\ncafé ok\r\n');
    expect(JSON.stringify(segment)).not.toContain('hunter2');
    expect(segment?.events.filter(({ kind }) => kind === 'r').map(({ data }) => data)).toEqual(['80x24', '66x20']);
    expect(segment?.events.at(-1)).toMatchObject({ kind: 'm', data: 'exit 3' });
    const times = segment?.events.map(({ atMs }) => atMs) ?? [];
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(list.segments[0]).toMatchObject({
      columns: 120,
      rows: 36,
      durationMs: times.at(-1),
      markers: [{ label: 'exit 3', atMs: times.at(-1) }],
    });
    expect(Math.abs((list.segments[0]?.startedAtMs ?? 0) - Date.now())).toBeLessThan(20_000);
  });

  it('goes on after a restart of the terminal server, older runs first', async () => {
    const records = join(temporary(), 'records');
    for (const word of ['first', 'second']) {
      const harness = await Harness.start({
        main: `echo ${word}; sleep 1000`,
        recording: { directory: records, totalBytes: MEBIBYTE, isOn: true },
      });
      const viewer = harness.connect();
      await viewer.untilText(word);
      await harness.stop();
    }
    const { harness } = await start({ records, main: 'sleep 1000', isOn: false });
    const reader = new RecordClient(harness);
    const segments = await reader.segments();
    expect(segments.map((segment) => outputOf([segment]).trim())).toEqual(['first', 'second']);
    expect(new Set(segments.map(({ header }) => header.sac.stream)).size).toBe(2);
    const viewer = harness.connect();
    await viewer.until(() => viewer.state !== null, 'state');
    expect(viewer.state?.recorded).toBe(false);
    expect((await reader.list()).recorded).toBe(false);
  });
});

describe('seeking', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(
    `from the segment before any moment shows the screen of the uncut run (seed ${seed})`,
    { timeout: 60_000 },
    async () => {
      const random = randomOf(seed);
      const output = sampleOutput(random, 700_000);
      const { harness } = await start({ main: player(4_000, 3), totalBytes: 4 * MEBIBYTE });
      writeFileSync(join(harness.directory, 'out.bin'), output);
      const viewer = harness.connect();
      await viewer.untilText('READY');
      const before = viewer.offset;
      viewer.type('go');
      for (let round = 0; viewer.offset < before + output.length && round < 500; round++) {
        await sleep(40);
        const size = { columns: 60 + Math.floor(random() * 80), rows: 15 + Math.floor(random() * 30) };
        viewer.send({ type: 'resize', size });
      }
      await viewer.until(() => viewer.offset >= before + output.length, 'end of the output', 30_000);
      const segments = await new RecordClient(harness).segments();
      // On a busy machine screens come late, and segments grow meanwhile.
      expect(segments.length, `seed ${seed}`).toBeGreaterThan(1);
      expect(segments.slice(1).every(({ header }) => header.sac.continues)).toBe(true);
      expect(outputOf(segments).endsWith(output.toString('utf8')), `seed ${seed}: every byte once`).toBe(true);

      const uncut = createEmulator({ columns: 120, rows: 36 });
      for (const [index, { header, events }] of segments.entries()) {
        const stops = new Set(Array.from({ length: 6 }, () => Math.floor(random() * events.length)));
        for (const [at, event] of events.entries()) {
          if (index === 0 || at > 0) show(uncut, event);
          if (!stops.has(at)) continue;
          const sought = createEmulator({ columns: header.width, rows: header.height });
          for (const earlier of events.slice(0, at + 1)) show(sought, earlier);
          expect(visibleState(sought), `seed ${seed}, segment ${index}, event ${at}`).toEqual(visibleState(uncut));
          sought.dispose();
        }
      }
    },
  );
});

describe('a flood', () => {
  it(
    'is thinned to a screen a second, keeps the history, and ends with the last screen',
    { timeout: 60_000 },
    async () => {
      const { harness, records } = await start({
        main: 'echo before the flood; read x; yes | head -c 6000000; echo after; read x; echo quiet again; sleep 1000',
        totalBytes: 8 * MEBIBYTE,
      });
      const viewer = harness.connect();
      await viewer.untilText('before the flood');
      viewer.type('\r');
      await viewer.untilText('after', 30_000);
      await sleep(2_500);
      viewer.type('\r');
      await viewer.untilText('quiet again');
      expect(viewer.offset).toBeGreaterThan(6_000_000);
      const reader = new RecordClient(harness);
      const segments = await reader.segments();
      const events = segments.flatMap((segment) => segment.events);
      expect(outputOf(segments)).toContain('before the flood');
      expect(events.filter(({ kind, data }) => kind === 'm' && data === 'fast output').length).toBe(1);
      expect(sizeOf(records)).toBeLessThan(4.5 * MEBIBYTE);
      const last = createEmulator({ columns: 120, rows: 36 });
      for (const event of events) show(last, event);
      const lines = Array.from({ length: 24 }, (_, row) => last.buffer.active.getLine(last.buffer.active.baseY + row));
      expect(lines.map((line) => line?.translateToString(true)).join('\n')).toMatch(/y\nafter\n\nquiet again/);
    },
  );
});

const sizeOf = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

describe('bounds', () => {
  it('gives up the oldest of the terminal that holds most', async () => {
    const { harness, records } = await start({
      main: 'echo precious; sleep 1000',
      // All of it is less than what counts as a flood.
      shell: 'stty raw -echo; while head -c 1 > /dev/null; do head -c 300000 /dev/zero | tr "\\0" x; done',
      totalBytes: MEBIBYTE,
    });
    await harness.control('POST', '/terminals');
    const shell = harness.connect({ claims: { terminal: 'shell-1' } });
    await shell.untilSync();
    const reader = new RecordClient(harness, { terminal: 'shell-1' });
    const oldestId = async (): Promise<number> => (await reader.list()).segments[0]?.id ?? 0;
    const firstId = await oldestId();
    for (let turn = 1; turn <= 6; turn++) {
      shell.type('x');
      await shell.until(() => shell.offset >= turn * 300_000, 'output');
      expect(sizeOf(records)).toBeLessThan(1.1 * MEBIBYTE);
    }
    await expect.poll(oldestId, { timeout: 20_000 }).toBeGreaterThan(firstId);
    expect(sizeOf(records)).toBeLessThan(1.1 * MEBIBYTE);
    expect(outputOf(await new RecordClient(harness).segments())).toContain('precious');
  });

  it.skipIf(smallDisk === null)('a full disk ends the recording with one line and disturbs nothing', async () => {
    const { harness } = await start({
      records: join(smallDisk ?? '', 'records'),
      main: 'exec bash --norc --noprofile',
    });
    const viewer = harness.connect();
    await viewer.untilSync();
    viewer.type('head -c 1000000 /dev/zero | tr "\\0" x; echo; echo done $((40+2))\r');
    await viewer.untilText('done 42');
    await viewer.until(() => viewer.state?.recorded === false, 'the state says so');
    expect(harness.warnings).toEqual([expect.stringMatching(/^terminal main is not recorded any more: .*ENOSPC/)]);
    viewer.type('echo still $((6*7))\r');
    await viewer.untilText('still 42');
    expect((await new RecordClient(harness).list()).segments.length).toBeGreaterThan(0);
  });
});

describe('reading', () => {
  it('of two who read at once while the terminal floods is right, and so is the one who watches', async () => {
    const { harness } = await start({ main: 'echo begin; read x; yes 0123456789' });
    const viewer = harness.connect();
    await viewer.untilText('begin');
    viewer.type('\r');
    await sleep(1_500);
    const readers = [new RecordClient(harness), new RecordClient(harness)];
    const both = await Promise.all(readers.map((reader) => reader.segments()));
    for (const segments of both) expect(outputOf(segments)).toContain('begin\r\n\r\n0123456789\r\n0123456789');
    expect(await viewer.echo()).toBeLessThan(1_000);
  });

  it('answers hostile questions and lives', async () => {
    const { harness, records } = await start({ main: 'echo hello; sleep 1000' });
    const viewer = harness.connect();
    await viewer.untilText('hello');
    const reader = new RecordClient(harness);
    const id = (await reader.list()).segments[0]?.id ?? 0;
    expect(await reader.ask({ ask: 'read', segment: 999, offset: 0 })).toMatchObject({ info: { error: 'not_found' } });
    for (const offset of [10_000, Number.MAX_SAFE_INTEGER])
      expect(await reader.ask({ ask: 'read', segment: id, offset })).toMatchObject({
        type: 'recordingData',
        data: new Uint8Array(0),
      });
    const rude = new RecordClient(harness).client;
    await rude.opened;
    const bad = [
      '7',
      '7{}',
      '7{"id":1,"ask":"read","segment":-1,"offset":0}',
      '7{"id":1,"ask":"list"',
      '0typed',
      '1{}',
    ];
    for (let round = 0; round < 4; round++) for (const frame of bad) rude.socket.send(Buffer.from(frame));
    expect((await rude.closed).code).toBe(1008);
    // A pipe, a link and rubbish under names of segments: none of them is read, none of them blocks.
    execFileSync('mkfifo', [join(records, '000000000006-main.cast')]);
    symlinkSync('/etc/passwd', join(records, '000000000007-main.cast'));
    writeFileSync(join(records, '000000000008-main.cast'), '{"version":2,"width":1e9,"height":-1}\n[NaN,"o","x"]\n');
    await harness.server.close();
    const again = await start({ records, main: 'sleep 1000' });
    expect((await new RecordClient(again.harness).list()).segments.map((segment) => segment.id)).toEqual([id, 9]);
    viewer.cut();
  });

  it('is for whoever may open the terminal, and for nobody else', async () => {
    const { harness } = await start({ main: 'echo hello; sleep 1000' });
    const stranger = new RecordClient(harness, { agentUid: 'agent-2' });
    expect((await stranger.client.closed).code).toBe(4001);
    const old = new RecordClient(harness, { generation: 6 });
    expect((await old.client.closed).code).toBe(4010);
    const own = new RecordClient(harness);
    const id = (await own.list()).segments[0]?.id ?? 0;
    const neighbour = new RecordClient(harness, { terminal: 'shell-1' });
    expect((await neighbour.list()).segments).toEqual([]);
    expect(await neighbour.ask({ ask: 'read', segment: id, offset: 0 })).toMatchObject({
      info: { error: 'not_found' },
    });
  });

  it('costs no memory when the answers are not read', async () => {
    const { harness } = await start({ main: 'head -c 600000 /dev/zero | tr "\\0" x; echo done; sleep 1000' });
    const viewer = harness.connect();
    await viewer.untilText('done');
    const reader = new RecordClient(harness);
    const id = (await reader.list()).segments[0]?.id ?? 0;
    reader.client.freeze();
    let asked = 0;
    for (; asked < 200; asked++)
      reader.client.send({ type: 'recordingRequest', request: { id: asked, ask: 'read', segment: id, offset: 0 } });
    reader.client.thaw();
    // Two wait at a time; the others are mistakes, and who makes too many is told.
    expect((await reader.client.closed).code).toBe(1008);
  });

  it('says so when nothing is recorded, and a viewer may not ask', async () => {
    const harness = await Harness.start();
    stops.push(() => harness.stop());
    expect(await new RecordClient(harness).list()).toEqual({ recorded: false, terminals: [], segments: [] });
    const viewer = harness.connect({ hello: TestClient.helloOf() });
    await viewer.untilSync();
    for (let index = 0; index < 20; index++)
      viewer.send({ type: 'recordingRequest', request: { id: index, ask: 'list' } });
    expect((await viewer.closed).reason).toMatch(/recording request: this connection watches/);
  });
});
