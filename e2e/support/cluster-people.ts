import type { CreateAgentBody } from '@sac/contracts';
import { redeemAdminLink, redeemInvite, type ApiUser } from './api.ts';
import { adminLink, cluster, eventually, kubectlAgents } from './cluster.ts';
import { Viewer } from './viewer.ts';

/** On the scripted model in the cluster. */
export const agentOnDemoModel = (name: string, overrides: Partial<CreateAgentBody> = {}): CreateAgentBody => ({
  name,
  icon: 'terminal',
  description: '',
  instructions: '',
  cli: 'claude-code',
  permissionMode: 'bypass',
  provider: {
    preset: 'custom',
    protocol: 'anthropic',
    baseUrl: cluster.demoModel,
    models: { main: 'demo-model-1', strong: null, small: null },
  },
  providerToken: 'demo',
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [],
  ...overrides,
});

/** Files can be run again in an installation that is there. */
const unique = (name: string): string => `${name}-${Date.now().toString(36)}`;

/** An admin of their own for a file of tests. */
export const admin = async (name: string): Promise<ApiUser> => redeemAdminLink(await adminLink(), unique(name));

/** Somebody invited by `host`. */
export const invited = async (host: ApiUser, name: string): Promise<ApiUser> => {
  const { secret } = await host.call('createInvite', { body: { role: 'user', expiresInHours: 1 } });
  return redeemInvite(cluster.origin, secret, unique(name));
};

export const stateOf = async (user: ApiUser, agentId: string): Promise<string> =>
  (await user.call('getAgent', { params: { agentId } })).status.state;

export const waitForState = (user: ApiUser, agentId: string, state: RegExp, timeoutMs = 120_000): Promise<void> =>
  eventually(`agent ${agentId} is ${String(state)}`, async () => state.test(await stateOf(user, agentId)), timeoutMs);

export interface OpenAgent {
  readonly agentId: string;
  readonly sessionId: string;
}

/** Creates an agent, opens it and waits until it is ready for prompts. */
export const openNewAgent = async (user: ApiUser, body: CreateAgentBody): Promise<OpenAgent> => {
  const { id: agentId } = await user.call('createAgent', { body });
  const { session } = await user.call('openSession', { body: { agentId } });
  await waitForState(user, agentId, /ready|waiting/);
  return { agentId, sessionId: session.id };
};

/** Name of the agent's pod. */
export const podOf = async ({ agentId }: OpenAgent): Promise<string> => {
  const name = 'jsonpath={.items[0].metadata.name}';
  return (await kubectlAgents('get', 'pods', '--selector', `sac.dev/agent-id=${agentId}`, '--output', name)).trim();
};

/** From the agent's own container in a pod: what its programs can connect to. */
export const reachesFrom = async (pod: string, host: string, port: number): Promise<boolean> => {
  const script = `timeout 6 bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>/dev/null && echo open || echo closed`;
  return (await kubectlAgents('exec', pod, '-c', 'agent', '--', 'bash', '-c', script)).trim() === 'open';
};

/** Somebody who looks at a terminal of the agent, connected. */
export const viewer = (
  user: ApiUser,
  { sessionId }: OpenAgent,
  name = 'main',
  onOutput?: (text: string) => void,
): Promise<Viewer> =>
  new Viewer({ origin: cluster.origin, user, sessionId, name, ...(onOutput === undefined ? {} : { onOutput }) }).open();

let requests = 0;
export const sendPrompt = async (user: ApiUser, { agentId }: OpenAgent, text: string): Promise<void> => {
  requests += 1;
  const clientRequestId = `test-${Date.now()}-${requests}`;
  await user.call('sendPrompt', { params: { agentId }, body: { clientRequestId, text } });
};
