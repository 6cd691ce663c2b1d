import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { percentile, type Figure } from '../figures.ts';
import { EmulatorClient } from '../../sandbox/src/terminal-server/testing/emulator-client.ts';
import { PersistentViewer } from '../../sandbox/src/terminal-server/testing/persistent-viewer.ts';
import { randomOf } from '../../sandbox/src/terminal-server/testing/random.ts';
import { TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { WsProxyProcess } from '../../sandbox/src/terminal-server/testing/ws-proxy-process.ts';
import { Stack } from '../terminal/processes.ts';
import { sleep } from '../terminal/statistics.ts';
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

interface Terminals {
  /** Behind the proxy, one for each terminal. */
  readonly viewers: readonly PersistentViewer[];
  /** How many of them stream. */
  readonly streaming: number;
  /** Of the first terminal, directly: all show the same, and this one is never cut. */
  readonly uncut: EmulatorClient;
}

const openTerminals = async (stack: Stack, script: Playback['script'], proxy: WsProxyProcess): Promise<Terminals> => {
  const viewers: PersistentViewer[] = [];
  const uncut = new EmulatorClient();
  let streaming = 0;
  for (let servers = 0; viewers.length < settings.killedTerminals; servers += 1) {
    const streams = servers % STREAMING_EVERY === 0;
    const pauseSeconds = streams ? STREAM_PAUSE_SECONDS : CALM_PAUSE_SECONDS;
    const server = stack.add(await TerminalServer.start(script(pauseSeconds)));
    if (viewers.length === 0) uncut.follow(server.connect('main'));
    const names = ['main'];
    while (names.length < PER_SERVER && viewers.length + names.length < settings.killedTerminals)
      names.push(await server.openShell());
    if (streams) streaming += names.length;
    for (const name of names) {
      const user = `user-${viewers.length % 20}`;
      const route = () => proxy.route(server.process.port, server.token(name), user);
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

/** SIGKILL for the proxy while two hundred terminals write: when everybody is back, and what they see then. */
export const proxyKilledFigures = async (): Promise<Figure[]> => {
  const stack = new Stack();
  const seconds = Math.ceil((settings.kills * BETWEEN_KILLS_MS) / 1_000) + 8;
  const playback = makePlayback(randomOf(settings.seed), { seconds, bytesPerSecond: BYTES_PER_SECOND });
  stack.defer(() => rmSync(playback.directory, { recursive: true, force: true }));
  try {
    const proxy = await WsProxyProcess.start(bundle);
    stack.defer(() => proxy.end());
    const { viewers, streaming, uncut } = await openTerminals(stack, playback.script, proxy);
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
      await proxy.kill();
      await proxy.startAgain();
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
    const conditions = `${viewers.length} terminals of ${BYTES_PER_SECOND / 1_000} KB/s of recorded output each, ${streaming} of them in ten writes a second and the others in one, ${settings.kills} times SIGKILL, proxy started again at once, seed ${settings.seed}; ${withSnapshot} were moved to a snapshot; ${[...new Set(wrong)].join(', ') || 'nothing'} differs`;
    return [
      {
        name: 'terminals that are not exact after SIGKILL of ws-proxy',
        value: wrong.length,
        unit: '',
        atMost: 0,
        conditions,
      },
      {
        name: 'SIGKILL of ws-proxy to first frame of the next connection, p99',
        value: percentile(awayMs, 99),
        unit: 'ms',
        atMost: 2_000,
        conditions: `median ${percentile(awayMs, 50).toFixed(0)} ms, worst ${Math.max(...awayMs).toFixed(0)} ms; delays as our page has them; the proxy itself listens after ${percentile(proxyAwayMs, 50).toFixed(0)} ms (worst ${Math.max(...proxyAwayMs).toFixed(0)} ms)`,
      },
    ];
  } finally {
    await stack.end();
  }
};
