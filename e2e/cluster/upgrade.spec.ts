import { expect, test } from '@playwright/test';
import { admin, agentOnDemoModel, openNewAgent, viewer } from '../support/cluster-people.ts';
import { install } from '../support/cluster.ts';
import type { Viewer } from '../support/viewer.ts';

const TERMINALS = 10;
const VIEWERS_EACH = 5;
const LONGEST_GAP_MS = 2_000;

/** Every line that came, checked as it comes: 50 viewers keep no text. */
class Counted {
  lines = 0;
  lost = 0;
  #rest = '';
  #last: number | null = null;

  readonly take = (text: string): void => {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const number = /<(\d+)>/.exec(line)?.[1];
      if (number === undefined) continue;
      if (this.#last !== null && Number(number) !== this.#last + 1) this.lost += 1;
      this.#last = Number(number);
      this.lines += 1;
    }
  };
}

test('helm upgrade replaces every pod under 50 streaming terminals: nothing is lost, no pause above 2 s', async () => {
  const user = await admin('upgrader');
  const agent = await openNewAgent(user, agentOnDemoModel('Busy', { cli: 'shell', provider: null }));
  const viewers: { viewer: Viewer; counted: Counted }[] = [];
  for (let index = 0; index < TERMINALS; index += 1) {
    await user.call('createTerminal', { params: { sessionId: agent.sessionId }, body: {} });
    const { terminals } = await user.call('listTerminals', { params: { sessionId: agent.sessionId } });
    const name = terminals.at(-1)?.name ?? '';
    for (let seat = 0; seat < VIEWERS_EACH; seat += 1) {
      const counted = new Counted();
      viewers.push({ viewer: await viewer(user, agent, name, counted.take), counted });
    }
    viewers.at(-1)?.viewer.type('i=0; while sleep 0.05; do i=$((i+1)); echo "<$i>"; done\n');
  }
  for (const { viewer: seat } of viewers) await seat.waitFor(/<20>/);
  for (const { viewer: seat } of viewers) seat.resetGaps();
  const before = viewers.map(({ counted }) => counted.lines);

  const changed = ['apiGateway', 'wsProxy', 'frontend'].flatMap((part) => [
    '--set-string',
    `${part}.podAnnotations.upgraded=${Date.now()}`,
  ]);
  await install(...changed);
  await new Promise((resolve) => setTimeout(resolve, 3_000));

  const figures = viewers.map(({ viewer: seat, counted }, index) => ({
    lines: counted.lines - (before[index] ?? 0),
    lost: counted.lost,
    snapshots: seat.snapshots,
    reconnects: seat.reconnects,
    gapMs: Math.round(seat.longestGapMs),
  }));
  for (const { viewer: seat } of viewers) seat.close();
  const gaps = figures.map(({ gapMs }) => gapMs).sort((left, right) => left - right);
  const reconnects = figures.reduce((sum, entry) => sum + entry.reconnects, 0);
  const said = `50 terminals: ${reconnects} reconnects, gaps p50 ${gaps[25] ?? 0} ms, longest ${gaps.at(-1) ?? 0} ms`;
  test.info().annotations.push({ type: 'figures', description: said });
  process.stdout.write(`    ${said}\n`);
  expect(figures.filter(({ lost, snapshots }) => lost > 0 || snapshots > 0)).toEqual([]);
  expect(Math.min(...figures.map(({ lines }) => lines))).toBeGreaterThan(100);
  expect(reconnects).toBeGreaterThan(0);
  expect(gaps.at(-1)).toBeLessThanOrEqual(LONGEST_GAP_MS);
});

test('an upgrade whose migration fails changes nothing that runs', async () => {
  await expect(
    install(
      '--set',
      'migrate.databaseWaitSeconds=1',
      '--set',
      'trial.postgresql.enabled=false',
      '--set',
      'database.existingSecret=not-there',
      '--set',
      'migrate.timeoutSeconds=15',
    ),
  ).rejects.toThrow(/pre-upgrade hooks failed/);
  const user = await admin('survivor');
  expect((await user.call('listAgents', {})).agents).toEqual([]);
  await install();
});
