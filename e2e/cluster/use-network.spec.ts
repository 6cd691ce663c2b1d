import { egressChoices, type EgressChoice } from '@sac/contracts';
import { expect, test } from '@playwright/test';
import { admin, agentOnDemoModel, openNewAgent, podOf, reachesFrom } from '../support/cluster-people.ts';
import { cluster } from '../support/cluster.ts';
import { Outside } from '../support/outside.ts';

/** What the network of an agent may be set to, and what its programs then reach. */
let outside: Outside;
const pods = new Map<EgressChoice, string>();

test.beforeAll(async () => {
  outside = await Outside.open();
  const user = await admin('networker');
  await Promise.all(
    egressChoices.map(async (egress) => {
      const body = agentOnDemoModel(`Network ${egress}`, { cli: 'shell', provider: null, pod: { egress } });
      pods.set(egress, await podOf(await openNewAgent(user, body)));
    }),
  );
});
test.afterAll(() => outside.close());

const expected: Readonly<Record<EgressChoice, readonly string[]>> = {
  internet: ['a place of the internet', 'the proxy', 'another port of the proxy', 'the model', 'the internal API'],
  proxy: ['the proxy', 'the model', 'the internal API'],
  none: ['the model', 'the internal API'],
};

for (const egress of egressChoices) {
  test(`with the network "${egress}" an agent reaches ${expected[egress].join(', ')}, and nothing else`, async () => {
    const inRelease = (name: string): string => `${cluster.release}-${name}.${cluster.namespace}.svc`;
    const site = new URL(cluster.origin);
    const places: readonly (readonly [what: string, host: string, port: number])[] = [
      ['a place of the internet', outside.internet.host, outside.internet.port],
      ['the proxy', outside.proxy.host, outside.proxy.port],
      ['another port of the proxy', outside.besideProxy.host, outside.besideProxy.port],
      ['the model', inRelease('demo-model'), 8090],
      ['the internal API', inRelease('api-gateway-internal'), 8082],
      ['a node, at a private address', site.hostname, Number(site.port)],
      ['the API server', 'kubernetes.default.svc', 443],
      ['the metadata of the node', '169.254.169.254', 80],
    ];
    const pod = pods.get(egress) ?? '';
    const reached = await Promise.all(
      places.map(async ([what, host, port]) => ((await reachesFrom(pod, host, port)) ? [what] : [])),
    );
    expect(reached.flat()).toEqual(expected[egress]);
  });
}
