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
import { makePlayback } from './player.ts';
import { size, TerminalServer } from './server.ts';
import { firstDifference } from './first-difference.ts';
import { visibleText } from './visible-text.ts';
import { settings } from './settings.ts';

const bundle = fileURLToPath(new URL('../../backend/dist/ws-proxy.js', import.meta.url));
const PER_SERVER = 16;
const BYTES_PER_SECOND = 10_000;
const BETWEEN_KILLS_MS = 4_000;

interface Watched {
  readonly direct: TestClient;
  readonly uncut: EmulatorClient;
  readonly cut: PersistentViewer;
}

const openTerminals = async (stack: Stack, script: string, proxy: WsProxyProcess): Promise<Watched[]> => {
  const all: Watched[] = [];
  while (all.length < settings.killedTerminals) {
    const server = stack.add(await TerminalServer.start(script));
    const names = ['main'];
    while (names.length < PER_SERVER && all.length + names.length < settings.killedTerminals)
      names.push(await server.openShell());
    for (const name of names) {
      const direct = server.connect(name);
      const uncut = new EmulatorClient();
      uncut.follow(direct);
      await direct.untilText('READY');
      const route = () => proxy.route(server.process.port, server.token(name), `user-${all.length % 20}`);
      const cut = new PersistentViewer({ ...size, connect: (hello) => new TestClient({ ...route(), hello }) });
      stack.defer(() => cut.stop());
      all.push({ direct, uncut, cut });
    }
  }
  return all;
};

/**
 * Null when a viewer has what it should: every byte and the whole state of one that was never cut; or, where this
 * process was too slow a viewer and was moved to a snapshot, the same screen.
 */
const differenceOf = ({ uncut, cut: { screen } }: Watched, output: Buffer): string | null => {
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
    const all = await openTerminals(stack, playback.script, proxy);
    for (const { direct, cut } of all) await direct.until(() => cut.isLive, 'viewer behind the proxy', 30_000);
    const ends = all.map(({ direct }) => direct.offset + playback.output.length);
    for (const { direct } of all) direct.type('go');
    for (let kill = 0; kill < settings.kills; kill += 1) {
      await sleep(BETWEEN_KILLS_MS);
      await proxy.kill();
      await proxy.startAgain();
      for (const { direct, cut } of all) await direct.until(() => cut.awayMs.length > kill, 'viewer back', 30_000);
    }
    const wrong: string[] = [];
    let withSnapshot = 0;
    for (const [index, watched] of all.entries()) {
      const { direct, uncut, cut } = watched;
      const end = ends[index] ?? 0;
      await direct.until(() => uncut.offset >= end && cut.screen.offset >= end, 'end of the output', 120_000);
      if (cut.screen.snapshots + uncut.snapshots > 2) withSnapshot += 1;
      const difference = differenceOf(watched, playback.output);
      if (difference !== null) wrong.push(difference);
    }
    const awayMs = all.flatMap(({ cut }) => cut.awayMs);
    const conditions = `${all.length} terminals with recorded output, ${settings.kills} times SIGKILL, proxy started again at once, seed ${settings.seed}; ${withSnapshot} were moved to a snapshot; ${[...new Set(wrong)].join(', ') || 'nothing'} differs`;
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
        conditions: `median ${percentile(awayMs, 50).toFixed(0)} ms, worst ${Math.max(...awayMs).toFixed(0)} ms; delays as our page has them`,
      },
    ];
  } finally {
    await stack.end();
  }
};
