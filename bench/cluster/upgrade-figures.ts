import { admin, agentOnDemoModel, openNewAgent } from '../../e2e/support/cluster-people.ts';
import { replaceEveryPod } from '../../e2e/support/cluster.ts';
import { countingShell, watchThrough, type Watcher } from '../../e2e/support/counted-lines.ts';
import { percentile, type Figure } from '../figures.ts';

const TERMINALS = 10;
const VIEWERS_EACH = 5;

/** `helm upgrade` that replaces every pod of the release under fifty viewers of ten writing terminals. */
export const upgradeFigures = async (): Promise<Figure[]> => {
  const user = await admin('upgrader');
  const agent = await openNewAgent(user, agentOnDemoModel('Busy', { cli: 'shell', provider: null }));
  const watchers: Watcher[] = [];
  for (let index = 0; index < TERMINALS; index += 1) watchers.push(...(await countingShell(user, agent, VIEWERS_EACH)));
  const beganMs = performance.now();
  const { notExact, reconnects, gapsMs } = await watchThrough(watchers, replaceEveryPod);
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
  for (const { viewer: seat } of watchers) seat.close();
  await user.call('deleteAgent', { params: { agentId: agent.agentId } });
  return [
    {
      name: 'helm upgrade: viewers that missed or repeated a line',
      value: notExact,
      unit: `of ${watchers.length}`,
      atMost: 0,
      conditions: `every pod of the release replaced in ${seconds} s under ${TERMINALS} terminals with 20 lines a second; ${reconnects} connections made anew`,
    },
    {
      name: 'helm upgrade: longest pause of a viewer',
      value: gapsMs.at(-1) ?? 0,
      unit: 'ms',
      atMost: 2_000,
      conditions: `p50 ${percentile(gapsMs, 50)} ms, p95 ${percentile(gapsMs, 95)} ms`,
    },
  ];
};
