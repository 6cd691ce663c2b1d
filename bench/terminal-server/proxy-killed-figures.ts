import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentile, type Figure } from '../figures.ts';
import { EmulatorClient } from '../../sandbox/src/terminal-server/testing/emulator-client.ts';
import { PersistentViewer } from '../../sandbox/src/terminal-server/testing/persistent-viewer.ts';
import { randomOf } from '../../sandbox/src/terminal-server/testing/random.ts';
import { TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import {
  WsProxyProcess,
  type Destination,
  type Route,
} from '../../sandbox/src/terminal-server/testing/ws-proxy-process.ts';
import { Stack } from '../terminal/processes.ts';
import { sleep } from '../terminal/statistics.ts';
import { OneMachineProxy } from './one-machine-proxy.ts';
import { makePlayback, type Playback } from './player.ts';
import { size, TerminalServer } from './server.ts';
import { firstDifference } from './first-difference.ts';
import { visibleText } from './visible-text.ts';
import { settings } from './settings.ts';

const bundle = fileURLToPath(new URL('../../backend/dist/ws-proxy.js', import.meta.url));
const PER_SERVER = 16;
const BYTES_PER_SECOND = 10_000;
/** Of every ten servers one streams as a CLI at work does; with all of them the measuring fills the machine. */
const STREAMING_EVERY = 10;
const STREAM_PAUSE_SECONDS = 0.1;
const CALM_PAUSE_SECONDS = 1;
const BETWEEN_KILLS_MS = 4_000;

const WAIT_MS = 30_000;
const END_TIMEOUT_MS = 120_000;
const LOOK_EVERY_MS = 20;

const until = async (what: string, isTrue: () => boolean, timeoutMs = WAIT_MS): Promise<void> => {
  const deadlineMs = performance.now() + timeoutMs;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
};

interface Arrangement {
  readonly name: string;
  /** Of the time until everybody is back; null: stated. */
  readonly atMostMs: number | null;
  /** Folder below which the sockets of terminal servers are; undefined: they listen on ports. */
  readonly within?: string;
  readonly route: (to: Destination) => Route;
  /** SIGKILL for the proxy, and until another takes connections. */
  readonly killAndReplace: () => Promise<void>;
}

interface Terminals {
  /** Behind the proxy, one for each terminal. */
  readonly viewers: readonly PersistentViewer[];
  /** How many of them stream. */
  readonly streaming: number;
  /** Of the first terminal, directly: all show the same, and this one is never cut. */
  readonly uncut: EmulatorClient;
}

const openTerminals = async (
  stack: Stack,
  script: Playback['script'],
  arrangement: Arrangement,
): Promise<Terminals> => {
  const viewers: PersistentViewer[] = [];
  const uncut = new EmulatorClient();
  let streaming = 0;
  for (let servers = 0; viewers.length < settings.killedTerminals; servers += 1) {
    const streams = servers % STREAMING_EVERY === 0;
    const pauseSeconds = streams ? STREAM_PAUSE_SECONDS : CALM_PAUSE_SECONDS;
    const server = stack.add(await TerminalServer.start(script(pauseSeconds), arrangement.within));
    if (viewers.length === 0) uncut.follow(server.connect('main'));
    const names = ['main'];
    while (names.length < PER_SERVER && viewers.length + names.length < settings.killedTerminals)
      names.push(await server.openShell());
    if (streams) streaming += names.length;
    for (const name of names) {
      const user = `user-${viewers.length % 20}`;
      const route = () => arrangement.route({ upstream: server.upstream, inner: server.token(name), user });
      const viewer = new PersistentViewer({ ...size, connect: (hello) => new TestClient({ ...route(), hello }) });
      stack.defer(() => viewer.stop());
      viewers.push(viewer);
    }
  }
  return { viewers, streaming, uncut };
};

/**
 * Null when a viewer has what it should: every byte and the whole state of one that was never cut; or, where this
 * process was too slow a viewer and was moved to a snapshot, the same screen.
 */
const differenceOf = ({ screen }: PersistentViewer, uncut: EmulatorClient, output: Buffer): string | null => {
  if (screen.snapshots === 1 && !Buffer.concat(screen.shown).subarray(-output.length).equals(output)) return 'bytes';
  if (visibleText(screen.emulator) !== visibleText(uncut.emulator)) return 'screen';
  const isWhole = screen.snapshots === 1 && uncut.snapshots === 1;
  const difference = isWhole ? firstDifference(screen.state, uncut.state) : null;
  return difference === null ? null : `state: ${difference}`;
};

/** On one machine `sac` keeps a second proxy at hand. */
const oneMachine = async (stack: Stack): Promise<Arrangement> => {
  const within = mkdtempSync(join(tmpdir(), 'sac-bench-'));
  stack.defer(() => rmSync(within, { recursive: true, force: true }));
  const proxy = stack.add(await OneMachineProxy.start(bundle, within));
  return {
    name: 'one machine',
    atMostMs: 2_000,
    within,
    route: (to) => proxy.route(to),
    killAndReplace: () => proxy.killAndReplace(),
  };
};

/** The only replica of a cluster: everybody waits until it runs again. */
const onlyReplica = async (stack: Stack): Promise<Arrangement> => {
  const proxy = stack.add(await WsProxyProcess.start(bundle));
  const killAndReplace = async (): Promise<void> => {
    await proxy.kill();
    await proxy.startAgain();
  };
  return { name: 'an only replica', atMostMs: null, route: (to) => proxy.route(to), killAndReplace };
};

/** SIGKILL for the proxy while two hundred terminals write: when everybody is back, and what they see then. */
const killedFigures = async (arrange: (stack: Stack) => Promise<Arrangement>): Promise<Figure[]> => {
  const stack = new Stack();
  const seconds = Math.ceil((settings.kills * BETWEEN_KILLS_MS) / 1_000) + 8;
  const playback = makePlayback(randomOf(settings.seed), { seconds, bytesPerSecond: BYTES_PER_SECOND });
  stack.defer(() => rmSync(playback.directory, { recursive: true, force: true }));
  try {
    const arrangement = await arrange(stack);
    const { viewers, streaming, uncut } = await openTerminals(stack, playback.script, arrangement);
    for (const viewer of viewers) {
      await until('a viewer behind the proxy', () => viewer.isLive);
      await viewer.client.untilText('READY');
    }
    const ends = viewers.map(({ screen }) => screen.offset + playback.output.length);
    for (const { client } of viewers) client.type('go');
    const proxyAwayMs: number[] = [];
    for (let kill = 0; kill < settings.kills; kill += 1) {
      await sleep(BETWEEN_KILLS_MS);
      const killedMs = performance.now();
      await arrangement.killAndReplace();
      proxyAwayMs.push(performance.now() - killedMs);
      for (const { awayMs } of viewers) await until('a viewer is back', () => awayMs.length > kill);
    }
    const wrong: string[] = [];
    await until('the end of the output', () => uncut.offset >= (ends[0] ?? 0), END_TIMEOUT_MS);
    for (const [index, viewer] of viewers.entries()) {
      await until('the end of the output', () => viewer.screen.offset >= (ends[index] ?? 0), END_TIMEOUT_MS);
      const difference = differenceOf(viewer, uncut, playback.output);
      if (difference !== null) wrong.push(difference);
    }
    const withSnapshot = viewers.filter(({ screen }) => screen.snapshots > 1).length;
    const awayMs = viewers.flatMap((viewer) => viewer.awayMs);
    const conditions = `${viewers.length} terminals of ${BYTES_PER_SECOND / 1_000} KB/s of recorded output each, ${streaming} of them in ten writes a second and the others in one, ${settings.kills} times SIGKILL, seed ${settings.seed}; ${withSnapshot} were moved to a snapshot; ${[...new Set(wrong)].join(', ') || 'nothing'} differs`;
    return [
      {
        name: `terminals that are not exact after SIGKILL of ws-proxy, ${arrangement.name}`,
        value: wrong.length,
        unit: '',
        atMost: 0,
        conditions,
      },
      {
        name: `SIGKILL of ws-proxy to first frame of the next connection, ${arrangement.name}, p99`,
        value: percentile(awayMs, 99),
        unit: 'ms',
        ...(arrangement.atMostMs === null ? {} : { atMost: arrangement.atMostMs }),
        conditions: `median ${percentile(awayMs, 50).toFixed(0)} ms, worst ${Math.max(...awayMs).toFixed(0)} ms; delays as our page has them; a proxy takes connections again after ${percentile(proxyAwayMs, 50).toFixed(0)} ms (worst ${Math.max(...proxyAwayMs).toFixed(0)} ms)`,
      },
    ];
  } finally {
    await stack.end();
  }
};

export const proxyKilledFigures = async (): Promise<Figure[]> => [
  ...(await killedFigures(oneMachine)),
  ...(await killedFigures(onlyReplica)),
];
