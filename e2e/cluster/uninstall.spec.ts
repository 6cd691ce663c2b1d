import { expect, test } from '@playwright/test';
import { admin, agentOnDemoModel, openNewAgent, viewer, waitForState } from '../support/cluster-people.ts';
import { attempt, cluster, eventually, install, kubectl, kubectlAgents, kubectlHere, run } from '../support/cluster.ts';

const removeAll = async (): Promise<void> => {
  await attempt('helm', ['uninstall', cluster.release, '--namespace', cluster.namespace, '--wait', '--timeout', '5m']);
  await kubectl('delete', 'namespace', cluster.agents, cluster.namespace, '--ignore-not-found', '--timeout=180s');
};

test('uninstalled: nothing runs, volumes and keys stay and are named; installed again, agents go on', async () => {
  try {
    const user = await admin('returning');
    const agent = await openNewAgent(user, agentOnDemoModel('Lasting', { cli: 'shell', provider: null }));
    const shell = await viewer(user, agent);
    shell.type('echo kept over a removal > kept.txt; echo written-d""one\n');
    await shell.waitFor(/written-done/);
    shell.close();

    const said = await run('make', ['helm-uninstall', `RELEASE=${cluster.release}`, `NAMESPACE=${cluster.namespace}`]);
    expect(said).toContain(`namespace ${cluster.agents}, with`);
    expect(said).toContain(`secret/${cluster.release}-keys`);
    expect(await kubectlAgents('get', 'pods,statefulsets,services,secrets', '--output', 'name')).toBe('');
    expect(await kubectlAgents('get', 'persistentvolumeclaims', '--output', 'name')).toContain('home-');
    await eventually('no pod of the release runs', async () => {
      return (await kubectlHere('get', 'pods', '--field-selector=status.phase=Running', '--output', 'name')) === '';
    });

    await install();
    const { session } = await user.call('openSession', { body: { agentId: agent.agentId } });
    await waitForState(user, agent.agentId, /ready|waiting/);
    const again = await viewer(user, { agentId: agent.agentId, sessionId: session.id });
    again.type('cat kept.txt\n');
    await again.waitFor(/kept over a removal[\s\S]*kept over a removal|^kept over a removal/m);
    again.close();
  } finally {
    await removeAll();
  }
});
