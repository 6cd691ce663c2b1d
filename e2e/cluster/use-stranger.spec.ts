import { expect, test } from '@playwright/test';
import type { ApiUser } from '../support/api.ts';
import {
  admin,
  agentOnDemoModel,
  invited,
  openNewAgent,
  podOf,
  reachesFrom,
  viewer,
  type OpenAgent,
} from '../support/cluster-people.ts';
import { cluster, kubectlAgents, kubectlHere } from '../support/cluster.ts';
import { showsTerminal } from '../support/viewer.ts';

/** Somebody else with an account, and with a shell in a sandbox of their own, tries to get at an agent. */
let owner: ApiUser;
let stranger: ApiUser;
let theirs: OpenAgent;
let own: OpenAgent;

const addressOf = async (namespace: 'agents' | 'release', pod: string): Promise<string> =>
  (
    await (namespace === 'agents' ? kubectlAgents : kubectlHere)(
      'get',
      'pod',
      pod,
      '--output',
      'jsonpath={.status.podIP}',
    )
  ).trim();

test.describe.configure({ mode: 'serial' });

test.beforeAll(async () => {
  owner = await admin('owner');
  stranger = await invited(owner, 'stranger');
  theirs = await openNewAgent(owner, agentOnDemoModel('Private', { cli: 'shell', provider: null }));
  own = await openNewAgent(stranger, agentOnDemoModel('Own', { cli: 'shell', provider: null }));
});

test('the API answers 404 for what belongs to somebody else', async () => {
  const { agentId, sessionId } = theirs;
  await expect(stranger.call('getAgent', { params: { agentId } })).rejects.toThrow('404');
  await expect(stranger.call('openSession', { body: { agentId } })).rejects.toThrow('404');
  await expect(
    stranger.call('createTicket', { params: { sessionId, name: 'main' }, body: { mode: 'view' } }),
  ).rejects.toThrow('404');
});

test('a ticket opens one terminal once: not another one, not twice, not from another site', async () => {
  const ticket = async (): Promise<string> =>
    (
      await stranger.call('createTicket', {
        params: { sessionId: own.sessionId, name: 'main' },
        body: { mode: 'view' },
      })
    ).url;
  const once = await ticket();
  expect(await showsTerminal(cluster.origin, once)).toBe(true);
  // As often as there are pods of ws-proxy, and more: none of them lets it in again.
  for (let again = 0; again < 4; again += 1) expect(await showsTerminal(cluster.origin, once)).toBe(false);
  const moved = (await ticket()).replace(`/ws/${own.sessionId}`, `/ws/${theirs.sessionId}`);
  expect(await showsTerminal(cluster.origin, moved)).toBe(false);
  expect(await showsTerminal(cluster.origin, await ticket(), 'https://evil.example')).toBe(false);
});

test('the network lets no sandbox reach another one, the stores, the site or the API server', async () => {
  const inRelease = (name: string): string => `${cluster.release}-${name}.${cluster.namespace}.svc`;
  const places: readonly (readonly [what: string, host: string, port: number])[] = [
    ['the internal API', inRelease('api-gateway-internal'), 8082],
    ['the model', inRelease('demo-model'), 8090],
    ['its own terminal server', '127.0.0.1', 7681],
    ["somebody else's terminal server", await addressOf('agents', await podOf(theirs)), 7681],
    ['the database', inRelease('postgresql'), 5432],
    ['the files', inRelease('minio'), 9000],
    ['the public API', inRelease('api-gateway'), 8080],
    ['the site', inRelease('frontend'), 80],
    ['the API server', 'kubernetes.default.svc', 443],
    ['the metadata of the node', '169.254.169.254', 80],
  ];
  const pod = await podOf(own);
  const reached = await Promise.all(
    places.map(async ([what, host, port]) => ((await reachesFrom(pod, host, port)) ? [what] : [])),
  );
  expect(reached.flat()).toEqual(['the internal API', 'the model', 'its own terminal server']);
});

test('an open terminal ends when its person is signed out', async () => {
  const shell = await viewer(stranger, own);
  await stranger.call('signOutEverywhere', { body: {} });
  await expect.poll(() => shell.isOpen, { timeout: 10_000 }).toBe(false);
  shell.close();
});
