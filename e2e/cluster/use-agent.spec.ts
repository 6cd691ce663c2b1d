import { expect, test } from '@playwright/test';
import {
  openNewAgent,
  admin,
  agentOnDemoModel,
  sendPrompt,
  viewer,
  waitForState,
  type OpenAgent,
} from '../support/cluster-people.ts';
import { cluster, eventually, kubectlAgents, kubectlHere, podsOf } from '../support/cluster.ts';
import type { ApiUser } from '../support/api.ts';
import type { Viewer } from '../support/viewer.ts';

/** One agent through its days, over the API and the terminal's own protocol. */
let user: ApiUser;
let agent: OpenAgent;
let main: Viewer;
const podName = (): Promise<string> =>
  kubectlAgents('get', 'pods', '--selector', `sac.dev/agent-id=${agent.agentId}`, '--output', 'name').then((name) =>
    name.trim(),
  );

test.describe.configure({ mode: 'serial' });

test.afterAll(() => main?.close());

test('a new agent starts, and the real CLI answers', async () => {
  user = await admin('keeper');
  agent = await openNewAgent(user, agentOnDemoModel('Keeper'));
  main = await viewer(user, agent);
  await sendPrompt(user, agent, '[[final: The answer is forty-two.]]');
  await main.waitForWords('● The answer is forty-two');
});

test('a file that it writes is on its volume', async () => {
  await sendPrompt(user, agent, '[[write: kept.txt | written before the pod was deleted]] [[final: Written down.]]');
  await main.waitForWords('● Written down');
  expect(await kubectlAgents('exec', await podName(), '-c', 'agent', '--', 'cat', '/workspace/kept.txt')).toContain(
    'written before the pod was deleted',
  );
});

test('its pod has no token and nothing of the control plane', async () => {
  const token = await kubectlAgents(
    'exec',
    await podName(),
    '-c',
    'agent',
    '--',
    'sh',
    '-c',
    'ls /var/run/secrets 2>&1; env | grep -iE "database|master_key|credential" ; true',
  );
  expect(token).toContain('No such file');
  expect(token).not.toMatch(/=/);
});

test('its pod is deleted: the terminal comes back by itself, with the file and the conversation', async () => {
  const before = main.reconnects;
  main.text = '';
  await kubectlAgents('delete', await podName(), '--wait=false');
  await eventually('the viewer is connected again', async () => main.reconnects > before, 120_000);
  // Claude Code shows the conversation that it continues.
  await main.waitForWords('The answer is forty-two', 60_000);
  await waitForState(user, agent.agentId, /ready|waiting/);
  await sendPrompt(user, agent, '[[bash: cat kept.txt]]');
  await main.waitForWords('The tool said: written before the pod was deleted', 60_000);
});

test('asleep its pod is gone and its volume stays; awake it goes on', async () => {
  await user.call('sleepAgent', { params: { agentId: agent.agentId }, body: {} });
  await waitForState(user, agent.agentId, /asleep/);
  await eventually('no pod of the agent is left', async () => (await podName()) === '');
  expect(
    await kubectlAgents(
      'get',
      'persistentvolumeclaims',
      '--selector',
      `sac.dev/agent-id=${agent.agentId}`,
      '--output',
      'name',
    ),
  ).not.toBe('');
  // A terminal that reconnects wakes nothing.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(await podName()).toBe('');
  await user.call('openSession', { body: { agentId: agent.agentId } });
  await waitForState(user, agent.agentId, /ready|waiting/);
  await sendPrompt(user, agent, '[[bash: cat kept.txt]] [[final: Awake again.]]');
  await main.waitForWords('● Awake again', 60_000);
});

test('objects changed or deleted by hand are repaired', async () => {
  const service = (
    await kubectlAgents('get', 'services', '--selector', `sac.dev/agent-id=${agent.agentId}`, '--output', 'name')
  ).trim();
  expect(service).not.toBe('');
  await kubectlAgents('delete', service);
  await eventually(
    'the Service is there again',
    async () =>
      (
        await kubectlAgents('get', 'services', '--selector', `sac.dev/agent-id=${agent.agentId}`, '--output', 'name')
      ).trim() === service,
  );
});

for (const component of ['api-gateway', 'ws-proxy']) {
  test(`every pod of ${component} is killed: the terminal loses nothing`, async () => {
    const { name } = await user.call('createTerminal', { params: { sessionId: agent.sessionId }, body: {} });
    const shell = await viewer(user, agent, name);
    shell.type(`for i in $(seq 1 400); do echo "<$i>"; sleep 0.05; done; echo all-d''one\n`);
    await shell.waitFor(/<20>/);
    for (const pod of await podsOf(component))
      await kubectlHere('delete', pod, '--grace-period=0', '--force', '--wait=false');
    await shell.waitFor(/all-done/, 90_000);
    const numbers = [...shell.text.matchAll(/<(\d+)>/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
    expect(shell.snapshots).toBe(0);
    shell.close();
    await user.call('closeTerminal', { params: { sessionId: agent.sessionId, name } });
    await kubectlHere('rollout', 'status', `deployment/${cluster.release}-${component}`, '--timeout=120s');
  });
}

test('a node that takes no pods: the page says what it waits for, and goes on when there is one', async () => {
  const node = (await kubectlAgents('get', await podName(), '--output', 'jsonpath={.spec.nodeName}')).trim();
  await kubectlAgents('cordon', node);
  try {
    await kubectlAgents('delete', await podName(), '--wait=false');
    await waitForState(user, agent.agentId, /starting/);
    await eventually('the start says that no node takes it', async () => {
      const { status } = await user.call('getAgent', { params: { agentId: agent.agentId } });
      return status.phases.some(({ detail }) => /node/i.test(detail ?? ''));
    });
  } finally {
    await kubectlAgents('uncordon', node);
  }
  await waitForState(user, agent.agentId, /ready|waiting/);
});
