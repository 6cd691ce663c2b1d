import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { EmulatorClient } from './testing/emulator-client.ts';
import { Harness } from './testing/harness.ts';
import { PersistentViewer } from './testing/persistent-viewer.ts';
import { PLAYER } from './testing/player.ts';
import { randomOf } from './testing/random.ts';
import { recordedOutput } from './testing/recorded-output.ts';
import { TestClient } from './testing/test-client.ts';
import { WsProxyProcess } from './testing/ws-proxy-process.ts';

const TERMINALS = 16;
const KILLS = 3;
const size = { columns: 100, rows: 30 };
const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const steps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of steps.splice(0).reverse()) await step();
});

interface Watched {
  readonly name: string;
  readonly direct: TestClient;
  readonly uncut: EmulatorClient;
  readonly cut: PersistentViewer;
}

/** One viewer beside the proxy that is never cut, and one behind it that is. */
const watch = (harness: Harness, proxy: WsProxyProcess, name: string): Watched => {
  const direct = harness.connect({
    claims: { terminal: name },
    hello: TestClient.helloOf({}, size.columns, size.rows),
  });
  const uncut = new EmulatorClient();
  uncut.follow(direct);
  const cut = new PersistentViewer({
    ...size,
    connect: (hello) =>
      new TestClient({
        ...proxy.route({
          upstream: { kind: 'tcp', host: '127.0.0.1', port: harness.port, fallbackHost: null },
          inner: harness.token({ terminal: name }),
          user: `user-${name}`,
        }),
        hello,
      }),
  });
  steps.push(() => cut.stop());
  return { name, direct, uncut, cut };
};

it(
  `${KILLS} times SIGKILL for ws-proxy with ${TERMINALS} terminals: nothing lost or repeated, screens as never cut (seed ${seed})`,
  { timeout: 120_000 },
  async () => {
    const random = randomOf(seed);
    const output = recordedOutput(random);
    const harness = await Harness.start({ main: PLAYER, shell: PLAYER, tcp: true });
    steps.push(() => harness.stop());
    writeFileSync(join(harness.directory, 'out.bin'), output);
    const proxy = await WsProxyProcess.start();
    steps.push(() => proxy.end());
    const names = ['main'];
    while (names.length < TERMINALS)
      names.push(((await harness.control('POST', '/terminals')).body as { name: string }).name);
    const all = names.map((name) => watch(harness, proxy, name));
    const ends = new Map<string, number>();
    for (const { name, direct, cut } of all) {
      await direct.untilText('READY');
      ends.set(name, direct.offset + output.length);
      await direct.until(() => cut.isLive, `${name} behind the proxy`);
    }
    for (const { direct } of all) direct.type('go');
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(100 + random() * 400);
      await proxy.kill();
      await sleep(random() * 300);
      await proxy.startAgain();
      for (const { name, direct, cut } of all) await direct.until(() => cut.isLive, `${name} back`, 20_000);
    }
    for (const { name, direct, uncut, cut } of all) {
      const context = `seed ${seed}, ${name}`;
      const end = ends.get(name) ?? 0;
      await direct.until(() => uncut.offset === end && cut.screen.offset === end, `end of ${name}`, 60_000);
      expect(Buffer.concat(cut.screen.shown).subarray(-output.length).equals(output), context).toBe(true);
      expect(cut.screen.snapshots, context).toBe(1);
      expect(cut.awayMs.length, context).toBe(KILLS);
      expect(cut.screen.state, context).toEqual(uncut.state);
    }
  },
);
