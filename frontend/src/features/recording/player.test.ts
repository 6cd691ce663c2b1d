// @vitest-environment node
import type { RecordingSegment, Size } from '@sac/contracts';
import { describe, expect, it, vi } from 'vitest';
import { CastExport, parseSegment, type CastEvent, type Segment } from './cast.ts';
import { castFileName, clockText } from './format.ts';
import { markersOf, nextMarkerMs } from './markers.ts';
import { Player, type PlayerScreen, type PlayerState } from './player.ts';
import { Timeline } from './timeline.ts';

/** What a terminal would show, as a list of everything that happened since the last reset. */
class FakeScreen implements PlayerScreen {
  shown = '';
  reset(size: Size): void {
    this.shown = `<${size.columns}x${size.rows}>`;
  }
  write(text: string): void {
    this.shown += text;
  }
  resize(size: Size): void {
    this.shown += `<${size.columns}x${size.rows}>`;
  }
  whenShown(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

const encode = (events: readonly CastEvent[], continues: boolean, size: Size): Uint8Array => {
  const header = { version: 2, width: size.columns, height: size.rows, sac: { stream: 's', continues } };
  const lines = events.map(({ atMs, kind, data }) => JSON.stringify([atMs / 1_000, kind, data]));
  return new TextEncoder().encode(`${[JSON.stringify(header), ...lines].join('\n')}\n[9.9,"o","cut`);
};
const parsed = (bytes: Uint8Array): Segment => {
  const segment = parseSegment(bytes);
  if (segment === null) throw new Error('not a segment');
  return segment;
};
const size = { columns: 80, rows: 24 };

/** A record of `runs`, each of some segments; `K3` is the screen that segment 3 begins with. */
const recordOf = (
  random: () => number,
  runs: readonly number[],
): { listed: RecordingSegment[]; segments: Segment[] } => {
  const listed: RecordingSegment[] = [];
  const segments: Segment[] = [];
  for (const [run, count] of runs.entries()) {
    let runMs = 0;
    for (let index = 0; index < count; index++) {
      const id = listed.length;
      const events: CastEvent[] = [{ atMs: 0, kind: 'o', data: `K${id}` }];
      for (let atMs = 0; events.length < 30; atMs += Math.floor(random() * random() * 9_000)) {
        const resizes = random() < 0.1;
        events.push({ atMs, kind: resizes ? 'r' : 'o', data: resizes ? '90x30' : `.${id}:${events.length}` });
      }
      const segment = parsed(encode(events, index > 0, size));
      const durationMs = segment.events.at(-1)?.atMs ?? 0;
      segments.push(segment);
      const activeMs = segment.activeMs.at(-1) ?? 0;
      const common = { id, ...size, bytes: 1, markers: [], durationMs, activeMs, runMs };
      listed.push({ ...common, stream: `run${run}`, startedAtMs: 1e12 + id * 1e7 });
      runMs += durationMs + Math.floor(random() * 5_000);
    }
  }
  return { listed, segments };
};

const randomOf = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
};

const start = (record: ReturnType<typeof recordOf>) => {
  const screen = new FakeScreen();
  const states: PlayerState[] = [];
  const errors: unknown[] = [];
  const player = new Player({
    segments: record.listed,
    load: async (id) => {
      const segment = record.segments[id];
      if (segment === undefined) throw new Error(`no segment ${id}`);
      return segment;
    },
    screen,
    onChange: (state) => states.push(state),
    onError: (error) => errors.push(error),
  });
  const settled = () => vi.waitFor(() => expect(player.state.isLoading).toBe(false));
  const seek = async (barMs: number): Promise<void> => {
    player.seek(barMs);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { player, screen, states, errors, seek, settled };
};

/** What must be on the screen at a moment of a segment. */
const expected = (segment: Segment, realMs: number): string =>
  segment.events
    .filter(({ atMs }) => atMs <= realMs)
    .reduce((text, { kind, data }) => text + (kind === 'r' ? `<${data}>` : data), '<80x24>');

describe('seeking', () => {
  const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it.each([true, false])(`shows what was on the screen then, pauses cut: %s (seed ${seed})`, async (skipsIdle) => {
    const random = randomOf(seed);
    const record = recordOf(random, [3, 1, 4]);
    const { player, screen, seek, errors } = start(record);
    player.setSkipsIdle(skipsIdle);
    for (let round = 0; round < 40; round++) {
      const barMs = random() * player.timeline.totalMs * 1.05 - 10;
      await seek(barMs);
      const { atMs, totalMs } = player.state;
      expect(atMs).toBe(Math.min(Math.max(0, barMs), totalMs));
      const index = player.timeline.indexAt(atMs);
      const segment = record.segments[index];
      if (segment === undefined) throw new Error('no segment');
      const realMs = player.timeline.toReal(index, atMs, segment);
      expect(screen.shown, `seed ${seed}, round ${round}`).toBe(expected(segment, realMs));
      expect(player.state.wallMs).toBeCloseTo((record.listed[index]?.startedAtMs ?? 0) + realMs, 3);
    }
    expect(errors).toEqual([]);
  });

  it('remembers only the newest wish while one is being fulfilled', async () => {
    const record = recordOf(randomOf(1), [5]);
    const { player, screen, settled } = start(record);
    const write = vi.spyOn(screen, 'write');
    for (let barMs = 0; barMs < player.timeline.totalMs; barMs += 50) player.seek(barMs);
    player.seek(player.timeline.totalMs);
    await settled();
    await vi.waitFor(() => expect(screen.shown.endsWith('.4:29') || screen.shown.endsWith('<90x30>')).toBe(true));
    expect(write.mock.calls.length).toBeLessThan(200);
  });

  it('stays at the same moment when pauses are cut or not', async () => {
    const record = recordOf(randomOf(7), [2, 2]);
    const { player, seek } = start(record);
    for (let round = 1; round < 20; round++) {
      await seek((player.timeline.totalMs * round) / 20);
      player.setSkipsIdle(false);
      const real = player.state.wallMs;
      player.setSkipsIdle(true);
      player.setSkipsIdle(false);
      expect(player.state.wallMs).toBeCloseTo(real, 3);
      player.setSkipsIdle(true);
    }
  });
});

describe('playing', () => {
  it.each([1, 16])('shows everything once and in order at speed %i, then stops and begins again', async (speed) => {
    const record = recordOf(randomOf(speed), [3, 2]);
    const { player, screen, seek } = start(record);
    await seek(0);
    player.setSpeed(speed);
    player.play();
    for (let ticks = 0; player.state.isPlaying && ticks < 20_000; ticks++) {
      player.tick(100);
      if (player.state.isLoading) await new Promise((resolve) => setImmediate(resolve));
    }
    const lastRun = record.segments.slice(3).flatMap((segment, index) => segment.events.slice(index === 0 ? 0 : 1));
    expect(screen.shown).toBe(
      lastRun.reduce((text, { kind, data }) => text + (kind === 'r' ? `<${data}>` : data), '<80x24>'),
    );
    expect(player.state.atMs).toBe(player.timeline.totalMs);
    player.play();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(player.state).toMatchObject({ isPlaying: true, atMs: 0 });
    player.close();
  });

  it('does not jump after the page was away, and waits for nothing when a piece is gone', async () => {
    const record = recordOf(randomOf(3), [2]);
    const { player, seek, errors } = start({ ...record, segments: record.segments.slice(0, 1) });
    await seek(0);
    player.play();
    player.tick(3_600_000);
    expect(player.state.atMs).toBeLessThanOrEqual(250);
    await seek(player.timeline.totalMs - 1);
    expect(errors).toHaveLength(1);
    expect(player.state).toMatchObject({ isPlaying: false, isLoading: false });
  });
});

describe('the timeline', () => {
  const { listed } = recordOf(randomOf(5), [2, 2]);
  it('keeps a second between runs, and the pauses of one run', () => {
    const timeline = new Timeline(listed, false);
    const [first, second, third] = timeline.entries;
    expect((second?.startMs ?? 0) - (first?.lengthMs ?? 0)).toBe(
      (listed[1]?.runMs ?? 0) - (listed[0]?.durationMs ?? 0),
    );
    expect((third?.startMs ?? 0) - (second?.startMs ?? 0) - (second?.lengthMs ?? 0)).toBe(1_000);
    expect(timeline.entries.map(({ isNewRun }) => isNewRun)).toEqual([true, false, true, false]);
    expect(new Timeline([], true).totalMs).toBe(0);
  });
  it('marks starts, ends and floods, and nothing a program made up', () => {
    const markers = [
      { atMs: 5, label: 'exit 1' },
      { atMs: 6, label: 'fast output' },
      { atMs: 7, label: 'exit <b>' },
      { atMs: 8, label: 'click here' },
    ];
    const timeline = new Timeline(
      listed.map((segment, index) => ({ ...segment, markers: index === 1 ? markers : [] })),
      false,
    );
    expect(markersOf(timeline).map(({ kind, detail }) => `${kind} ${detail}`)).toEqual([
      'exited 1',
      'flood ',
      'started ',
    ]);
  });
  it('goes from mark to mark, and back over the one that was just passed only while it plays', () => {
    const marks = [400, 9_200].map((atMs) => ({ atMs, kind: 'started' as const, detail: '' }));
    const from = (atMs: number, step: 1 | -1, isPlaying = false): number =>
      nextMarkerMs({ atMs, totalMs: 10_000, isPlaying }, marks, step);
    expect([from(0, 1), from(400, 1), from(9_200, 1)]).toEqual([400, 9_200, 10_000]);
    expect([from(10_000, -1), from(9_200, -1), from(400, -1)]).toEqual([9_200, 400, 0]);
    expect([from(10_000, -1, true), from(1_300, -1, true), from(1_500, -1, true)]).toEqual([400, 0, 400]);
  });
});

describe('files', () => {
  it('are exported as one asciicast: one header, times from 0, no screen twice', () => {
    const { listed, segments } = recordOf(randomOf(11), [2, 1]);
    const file = new CastExport('Ada · main', 1_800_000_000_500, size);
    const { entries } = new Timeline(listed, false);
    for (const [index, { startMs }] of entries.entries()) file.add(segments[index] as Segment, startMs);
    const [header, ...lines] = file.pieces.join('').trimEnd().split('\n');
    expect(JSON.parse(header ?? '')).toEqual({
      version: 2,
      width: 80,
      height: 24,
      timestamp: 1_800_000_000,
      title: 'Ada · main',
      env: { TERM: 'xterm-256color' },
    });
    const events = lines.map((line) => JSON.parse(line) as [number, string, string]);
    const times = events.map(([seconds]) => seconds);
    expect(times[0]).toBe(0);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const text = events.map(([, , data]) => data).join('');
    expect(text.match(/K[0-9]/g)).toEqual(['K0', 'K2']);
  });
  it.each([
    ['', null],
    ['{"version":2}\n', null],
    ['{"width":1e9,"height":5}\n', null],
    ['not json\n', null],
  ])('%j is no recording', (text, expected) => {
    expect(parseSegment(new TextEncoder().encode(text))).toBe(expected);
  });
  it('pass over lines that are no events and times that go back', () => {
    const text =
      '{"width":8,"height":2}\n[0,"o","a"]\n[-1,"o","b"]\nrubbish\n[1,"i","typed"]\n[5,"o","c"]\n[2,"o","d"]\n[6,"r","0x0"]\n';
    const segment = parseSegment(new TextEncoder().encode(text));
    expect(segment?.events.map(({ data }) => data)).toEqual(['a', 'c', '0x0']);
    expect(segment?.activeMs).toEqual([0, 2_000, 3_000]);
  });
  it('have names that file systems take', () => {
    expect(castFileName('../../etc: "x"', 'main', 0)).toBe('etc-x-main-1970-01-01-00-00.cast');
    expect(castFileName('夜间', 'shell-1', 0)).toBe('夜间-shell-1-1970-01-01-00-00.cast');
    expect(castFileName('///', 'main', 0)).toBe('agent-main-1970-01-01-00-00.cast');
    expect([clockText(-5), clockText(61_000), clockText(3_600_000)]).toEqual(['0:00', '1:01', '1:00:00']);
  });
});
