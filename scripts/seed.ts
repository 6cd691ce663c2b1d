/**
 * Gives a running DEMO=1 installation something to look at: an admin with a random password, which is printed, and
 * three agents on the scripted model. Everything goes through the command line and the HTTP API, like a person would.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Capabilities, CreateAgentBody, SignedIn } from '@sac/contracts';
import { root } from './bundles.ts';

const agents = [
  {
    name: 'Reviewer',
    icon: 'branch',
    description: 'Reads changes and says what it thinks of them',
    instructions: 'Review changes. Be brief.',
  },
  {
    name: 'Writer',
    icon: 'book',
    description: 'Keeps the documentation in order',
    instructions: 'Write short sentences.',
  },
  { name: 'Explorer', icon: 'terminal', description: 'For trying things out', instructions: '' },
] as const;

const post = async <T>(url: URL, body: unknown, accessToken?: string): Promise<T> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      origin: url.origin,
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url.pathname} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
};

const adminLink = (): URL => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'backend/dist/sac.js'), 'admin-link'], {
    encoding: 'utf8',
  });
  const link = /https?:\/\/\S+#\S+/.exec(stdout)?.[0];
  if (status !== 0 || link === undefined) throw new Error(stderr.trim() || 'There is no running installation.');
  return new URL(link);
};

const demoEndpoint = async (origin: string, accessToken: string): Promise<CreateAgentBody['provider']> => {
  const response = await fetch(new URL('/api/capabilities', origin), {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const { presets } = (await response.json()) as Capabilities;
  const endpoint = presets.find((preset) => preset.id === 'demo')?.endpoints[0];
  if (endpoint === undefined) throw new Error('Only a demo installation can be filled: make start DEMO=1');
  return { preset: 'demo', protocol: endpoint.protocol, baseUrl: endpoint.baseUrl, models: endpoint.models };
};

const main = async (): Promise<void> => {
  const link = adminLink();
  const username = `demo-${randomBytes(3).toString('hex')}`;
  const password = randomBytes(12).toString('base64url');
  const account = { secret: link.hash.slice(1), username, displayName: 'Demo admin', password };
  const { accessToken } = await post<SignedIn>(new URL('/api/auth/admin-link', link), account);
  const provider = await demoEndpoint(link.origin, accessToken);
  for (const agent of agents) {
    const body: CreateAgentBody = {
      ...agent,
      cli: 'claude-code',
      permissionMode: 'default',
      provider,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      environment: [],
    };
    await post(new URL('/api/agents', link), body, accessToken);
  }
  process.stdout.write(
    `${link.origin}\n  user name  ${username}\n  password   ${password}\n  agents     ${agents.map(({ name }) => name).join(', ')}\n`,
  );
};

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
