import { rmSync } from 'node:fs';
import { percentile, type Figure } from '../figures.ts';
import { EmulatorClient } from '../../sandbox/src/terminal-server/testing/emulator-client.ts';
import { randomOf } from '../../sandbox/src/terminal-server/testing/random.ts';
import { TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { sleep } from '../terminal/statistics.ts';
import { makePlayback, type Playback } from './player.ts';
import { size, TerminalServer } from './server.ts';
import { settings } from './settings.ts';

const TERMINALS = 16;
const VIEWERS_PER_TERMINAL = 8;
/** Between two writes of the program. */
const PAUSE_SECONDS = 0.1;
const BYTES_PER_SECOND = 20_000;
/** A viewer whose cuts are made watches the rest, which may be nearly all of it. */
const END_MARGIN_MS = 120_000;

interface Cut {
  readonly screen: EmulatorClient;
  readonly cuts: number;
  /** Milliseconds from the start of a connection to its first byte, which stands right before what was missing. */
  readonly firstByteMs: readonly number[];
}

/** Connects, and waits until the server goes on where the screen ends. */
const comeBack = async (
  server: TerminalServer,
  name: string,
  screen: EmulatorClient,
): Promise<[TestClient, number]> => {
  const { stream, offset } = screen;
  const startedAtMs = performance.now();
  const client = server.connect(
    name,
    TestClient.helloOf(
      stream === null ? { wantsOwnership: false } : { stream, offset, wantsOwnership: false },
      size.columns,
      size.rows,
    ),
  );
  screen.follow(client);
  await client.until(() => client.sync !== null, `${name} back`, 30_000);
  return [client, performance.now() - startedAtMs];
};

/** One viewer that is cut at random bytes and stays away for up to thirty seconds each time. */
const liveCut = async (
  server: TerminalServer,
  name: string,
  {
    random,
    end,
    cuts,
    endMs,
  }: { readonly random: () => number; readonly end: () => number; readonly cuts: number; readonly endMs: number },
): Promise<Cut> => {
  const screen = new EmulatorClient();
  const firstByteMs: number[] = [];
  let made = 0;
  for (;;) {
    const [client, backMs] = await comeBack(server, name, screen);
    if (made > 0) firstByteMs.push(backMs);
    const awayMs = random() * settings.awaySeconds * 1_000;
    const reserveBytes = (awayMs / 1_000 + 5) * 2 * BYTES_PER_SECOND;
    if (made === cuts || screen.offset + reserveBytes > end()) {
      await client.until(() => screen.offset >= end(), `end of ${name}`, endMs);
      client.cut();
      return { screen, cuts: made, firstByteMs };
    }
    const at = screen.offset + 1 + Math.floor(random() * BYTES_PER_SECOND);
    await new Promise<void>((resolve) => screen.cutAt(at, resolve));
    made += 1;
    await sleep(awayMs);
  }
};

interface Outcome {
  readonly cuts: number;
  readonly lostOrWrong: number;
  readonly firstByteMs: readonly number[];
}

const measure = async (server: TerminalServer, { output }: Playback, random: () => number): Promise<Outcome> => {
  const names = ['main'];
  while (names.length < TERMINALS) names.push(await server.openShell());
  const cuts = Math.ceil(settings.cuts / (TERMINALS * VIEWERS_PER_TERMINAL));
  const endMs = (output.length / BYTES_PER_SECOND) * 1_000 + END_MARGIN_MS;
  const results = names.map(async (name) => {
    const steady = server.connect(name);
    const uncut = new EmulatorClient();
    uncut.follow(steady);
    await steady.untilText('READY');
    const end = steady.offset + output.length;
    steady.type('go');
    const cut = await Promise.all(
      Array.from({ length: VIEWERS_PER_TERMINAL }, () =>
        liveCut(server, name, { random, end: () => end, cuts, endMs }),
      ),
    );
    await steady.until(() => uncut.offset >= end, `end of ${name}`, endMs);
    steady.cut();
    return { cut, uncut };
  });
  const all = await Promise.all(results);
  // Only now: drawing it all takes seconds, in which a viewer that just connected could say nothing and would be refused.
  const isWrong = ({ screen }: Cut, uncut: EmulatorClient): boolean => {
    const shown = Buffer.concat(screen.shown).subarray(-output.length);
    const same = shown.equals(output.subarray(-shown.length)) && screen.snapshots === 1;
    return !same || JSON.stringify(screen.state) !== JSON.stringify(uncut.state);
  };
  return {
    cuts: all.flatMap(({ cut }) => cut).reduce((sum, one) => sum + one.cuts, 0),
    lostOrWrong: all.flatMap(({ cut, uncut }) => cut.filter((one) => isWrong(one, uncut))).length,
    firstByteMs: all.flatMap(({ cut }) => cut.flatMap((one) => one.firstByteMs)),
  };
};

/** Cuts at random bytes of recorded output, each viewer away for up to thirty real seconds. */
export const resumeFigures = async (): Promise<Figure[]> => {
  const random = randomOf(settings.seed);
  const perViewer = Math.ceil(settings.cuts / (TERMINALS * VIEWERS_PER_TERMINAL));
  const seconds = Math.ceil(perViewer * (settings.awaySeconds / 2 + 2) + settings.awaySeconds + 15);
  const playback = makePlayback(random, { seconds, bytesPerSecond: BYTES_PER_SECOND });
  const server = await TerminalServer.start(playback.script(PAUSE_SECONDS));
  try {
    const { cuts, lostOrWrong, firstByteMs } = await measure(server, playback, random).catch((error: unknown) => {
      const what = `seed ${settings.seed}; of the terminal server: ${server.process.lastWords}`;
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${what}`, { cause: error });
    });
    const conditions =
      `${cuts} cuts at random bytes, ${TERMINALS * VIEWERS_PER_TERMINAL} viewers of ${TERMINALS} terminals with ` +
      `recorded output, away 0-${settings.awaySeconds} s, seed ${settings.seed}`;
    return [
      {
        name: 'viewers with a byte lost or repeated, or another screen',
        value: lostOrWrong,
        unit: '',
        atMost: 0,
        conditions,
      },
      {
        name: 'first byte after coming back, p95',
        value: percentile(firstByteMs, 95),
        unit: 'ms',
        digits: 1,
        atMost: 50,
        conditions: `from the start of the connection; median ${percentile(firstByteMs, 50).toFixed(1)} ms, p99 ${percentile(firstByteMs, 99).toFixed(1)} ms`,
      },
    ];
  } finally {
    await server.end();
    rmSync(playback.directory, { recursive: true, force: true });
  }
};
