import type { ApiUser } from '../../e2e/support/api.ts';
import {
  admin,
  agentOnDemoModel,
  openNewAgent,
  sendPrompt,
  viewer,
  type OpenAgent,
} from '../../e2e/support/cluster-people.ts';
import { cluster, eventually, kubectlAgents, kubectlHere, podsOf } from '../../e2e/support/cluster.ts';
import { countingShell, watchThrough, type UnderChange } from '../../e2e/support/counted-lines.ts';
import type { Viewer } from '../../e2e/support/viewer.ts';
import { percentile, type Figure } from '../figures.ts';

const VIEWERS = 5;
const BACK_WITHIN_MS = 120_000;
const RESTORED = 'What was said before';

const podNames = async (agentId: string): Promise<string> =>
  (await kubectlAgents('get', 'pods', '--selector', `sac.dev/agent-id=${agentId}`, '--output', 'name')).trim();

/** SIGKILL for what the first process of a container runs: that one is protected by its own namespace. */
const killIn = async (agentId: string, container: string): Promise<string> =>
  kubectlAgents(
    'exec',
    await podNames(agentId),
    '-c',
    container,
    '--',
    'bash',
    '-c',
    'kill -9 $(cat /proc/1/task/1/children)',
  );

/** The last pod goes at once; the rest of the release's part follows it. */
const killPods = async (component: string): Promise<void> => {
  for (const pod of await podsOf(component))
    await kubectlHere('delete', pod, '--grace-period=0', '--force', '--wait=false');
  await kubectlHere('rollout', 'status', `deployment/${cluster.release}-${component}`, '--timeout=120s');
};

const kept = (what: string, { notExact, gapsMs, reconnects, fewestLines }: UnderChange): Figure[] => [
  {
    name: `${what}: viewers that missed or repeated a line`,
    value: fewestLines === 0 ? VIEWERS : notExact,
    unit: `of ${VIEWERS}`,
    atMost: 0,
    conditions: `20 lines a second; ${reconnects} connections made anew; longest pause p50 ${percentile(gapsMs, 50)} ms, worst ${gapsMs.at(-1) ?? 0} ms`,
  },
];

/** The programs of the terminals end with it; the conversation and the files must be there when it is back. */
const withPrograms = async (
  what: string,
  { user, agent, main }: { user: ApiUser; agent: OpenAgent; main: Viewer },
  kill: () => Promise<unknown>,
): Promise<Figure> => {
  const before = main.reconnects;
  main.text = '';
  const beganMs = performance.now();
  await kill();
  await eventually('the viewer is connected again', async () => main.reconnects > before, BACK_WITHIN_MS);
  await main.waitForWords(RESTORED, BACK_WITHIN_MS);
  const shownMs = performance.now() - beganMs;
  await sendPrompt(user, agent, '[[bash: cat kept.txt]]');
  await main.waitForWords('The tool said: kept through everything', BACK_WITHIN_MS);
  return {
    name: `${what}: until the conversation is on the screen again`,
    value: shownMs,
    unit: 'ms',
    atMost: 15_000,
    conditions:
      'the real Claude Code; programs in shells end, its conversation and a file written before are there, and it answers',
  };
};

/** Kills each part under writing terminals: what is lost, and for how long it is gone. */
export const killedFigures = async (): Promise<Figure[]> => {
  const user = await admin('killer');
  const agent = await openNewAgent(user, agentOnDemoModel('Killed'));
  const main = await viewer(user, agent);
  await sendPrompt(user, agent, `[[write: kept.txt | kept through everything]] [[final: ${RESTORED}.]]`);
  await main.waitForWords(`● ${RESTORED}`);
  const watchers = await countingShell(user, agent, VIEWERS);
  const figures: Figure[] = [];
  for (const component of ['api-gateway', 'ws-proxy'])
    figures.push(...kept(`every ${component} killed`, await watchThrough(watchers, () => killPods(component))));
  figures.push(...kept('sidecar killed', await watchThrough(watchers, () => killIn(agent.agentId, 'sidecar'))));
  for (const { viewer: seat } of watchers) seat.close();
  const all = { user, agent, main };
  figures.push(await withPrograms('terminal server killed', all, () => killIn(agent.agentId, 'agent')));
  figures.push(
    await withPrograms('pod killed', all, async () =>
      kubectlAgents('delete', await podNames(agent.agentId), '--grace-period=0', '--force', '--wait=false'),
    ),
  );
  main.close();
  await user.call('deleteAgent', { params: { agentId: agent.agentId } });
  return figures;
};
