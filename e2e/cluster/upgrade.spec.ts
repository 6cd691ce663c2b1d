import { expect, test } from '@playwright/test';
import { admin, agentOnDemoModel, openNewAgent } from '../support/cluster-people.ts';
import { install, replaceEveryPod } from '../support/cluster.ts';
import { countingShell, watchThrough, type Watcher } from '../support/counted-lines.ts';

const TERMINALS = 10;
const VIEWERS_EACH = 5;
/** Whoever lost seconds would notice. This is a test on a busy machine; the benchmark holds the 2 s that are promised. */
const LONGEST_GAP_MS = 5_000;

test('helm upgrade replaces every pod under 50 streaming terminals, and nothing is lost', async () => {
  const user = await admin('upgrader');
  const agent = await openNewAgent(user, agentOnDemoModel('Busy', { cli: 'shell', provider: null }));
  const watchers: Watcher[] = [];
  for (let index = 0; index < TERMINALS; index += 1) watchers.push(...(await countingShell(user, agent, VIEWERS_EACH)));
  const seen = await watchThrough(watchers, replaceEveryPod);
  for (const { viewer: seat } of watchers) seat.close();
  const said = `50 terminals: ${seen.reconnects} reconnects, gaps p50 ${seen.gapsMs[25] ?? 0} ms, longest ${seen.gapsMs.at(-1) ?? 0} ms`;
  test.info().annotations.push({ type: 'figures', description: said });
  process.stdout.write(`    ${said}\n`);
  expect(seen.notExact).toBe(0);
  expect(seen.fewestLines).toBeGreaterThan(100);
  expect(seen.reconnects).toBeGreaterThan(0);
  expect(seen.gapsMs.at(-1)).toBeLessThanOrEqual(LONGEST_GAP_MS);
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
