import {
  DISPLAY_TEXT_PATTERN,
  routes,
  type FieldProblem,
  type RouteDefinition,
  type RouteName,
  type Routes,
} from '@sac/contracts';
import type { TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentBody } from '../../test/agents.ts';
import { createTestGateway, type CallInput, type TestBrowser, type TestGateway } from '../../test/gateway.ts';

/**
 * Every route of the contract against hostile input. The cases are made from the contract itself: a new route is
 * covered without being mentioned here, or fails until somebody says what it takes.
 */
let server: TestGateway;
let ada: TestBrowser;
let bob: TestBrowser;
let root: TestBrowser;

/** Objects of ada (invites: of root), by the name of the parameter that stands for them. */
const owned: Record<string, string> = { name: 'main', namespace: 'agents-0' };

beforeAll(async () => {
  server = await createTestGateway();
  root = await server.admin();
  ada = await server.person('ada');
  bob = await server.person('bob');
  const agent = (await ada.call('createAgent', { body: agentBody({ name: 'Ours' }) })).body;
  const { session } = (await ada.call('openSession', { body: { agentId: agent.id } })).body;
  const prompt = await ada.call('sendPrompt', {
    params: { agentId: agent.id },
    body: { clientRequestId: 'request-1', text: 'hello' },
  });
  const { sessions } = (await ada.call('listAuthSessions')).body;
  const { invite } = (await root.call('createInvite', { body: { role: 'user', expiresInHours: 1 } })).body;
  Object.assign(owned, {
    agentId: agent.id,
    sessionId: session.id,
    promptId: prompt.body.id,
    authSessionId: sessions[0]?.id,
    userId: ada.user?.id,
    inviteId: invite.id,
  });
});
afterAll(() => server.close());

type WithBody = { [N in RouteName]: Routes[N] extends { body: TSchema } ? N : never }[RouteName];
const account = { username: 'someone', displayName: 'Some One', password: 'long enough password' };
const secret = 'a'.repeat(43);
/** What routes would take, where it matters: a route whose id is checked needs a body that passes. */
const valid: Partial<Record<RouteName, Record<string, unknown>>> = {
  redeemAdminLink: { ...account, secret },
  checkLink: { kind: 'invite', secret },
  signIn: { login: 'root', password: 'wrong wrong' },
  register: account,
  refresh: {},
  signOut: {},
  signOutEverywhere: {},
  updateMe: { displayName: 'Ada' },
  changePassword: { currentPassword: 'wrong wrong', newPassword: 'long enough password' },
  updateUser: { status: 'active' },
  createInvite: { role: 'user', expiresInHours: 1 },
  updateSettings: { agentsPerUser: 10 },
  createAgent: { ...agentBody(), providerToken: 'token' },
  updateAgent: { name: 'Stolen' },
  restoreAgent: {},
  restartAgent: {},
  sleepAgent: {},
  testConnection: { cli: 'claude-code', provider: agentBody().provider },
  openSession: {},
  createTerminal: {},
  adoptVolume: { agentUid: 'an-agent' },
  createTicket: { mode: 'control' },
  sendPrompt: { clientRequestId: 'request-2', text: 'hello' },
  reorderPrompts: { promptIds: ['1'] },
  keepAwake: { minutes: 5 },
  retryPrompt: { settledAt: new Date().toISOString() },
  interrupt: {},
};
const all = Object.entries(routes) as [RouteName, RouteDefinition][];
const withBody = all.filter((entry): entry is [WithBody, RouteDefinition & { body: TSchema }] => 'body' in entry[1]);
const propertiesOf = (schema: TSchema): [string, TSchema][] =>
  Object.entries((schema as { properties?: Record<string, TSchema> }).properties ?? {});

/** Nobody is refused for who they are before what they send was looked at. */
const caller = ({ access }: RouteDefinition): TestBrowser => (access === 'admin' ? root : ada);
const callOf = (name: RouteName, input: CallInput) => caller(routes[name]).call(name, { params: owned, ...input });
const fieldsOf = (error: { details?: { fields?: readonly FieldProblem[] } }): string[] =>
  (error.details?.fields ?? []).map(({ path }) => path);

const expectRefused = async (name: WithBody, field: string, value: unknown): Promise<void> => {
  const { status, error } = await callOf(name, { body: { ...valid[name], [field]: value } });
  const shown = `${name}: ${field} = ${JSON.stringify(value).slice(0, 60)}`;
  expect({ shown, status, code: error.code }).toEqual({ shown, status: 400, code: 'invalid_request' });
  expect(
    fieldsOf(error).some((path) => path === `/${field}` || path.startsWith(`/${field}/`)),
    shown,
  ).toBe(true);
};

describe.each(withBody)('the body of %s', (name, route) => {
  it('may not have a field that nobody knows', async () => {
    for (const field of ['unknown', '__proto__x', 'constructor', 'id']) await expectRefused(name, field, 1);
  });

  it('may not have a value of another type', async () => {
    const values: unknown[] = [7, -1.5, true, null, 'text', '', [], [1], {}, { toString: 1 }];
    for (const [field, schema] of propertiesOf(route.body))
      for (const value of values) if (!Check(schema, value)) await expectRefused(name, field, value);
  });

  it('may not be without end', async () => {
    for (const [field, schema] of propertiesOf(route.body)) {
      const long = 'a'.repeat(200_000);
      if (!Check(schema, long)) await expectRefused(name, field, long);
      const { status, error } = await callOf(name, { body: { ...valid[name], [field]: 'a'.repeat(1024 * 1024) } });
      expect({ field, status, code: error.code }).toEqual({ field, status: 413, code: 'payload_too_large' });
    }
  });

  it('may not have names that deceive', async () => {
    for (const [field, schema] of propertiesOf(route.body)) {
      if ((schema as { pattern?: string }).pattern !== DISPLAY_TEXT_PATTERN) continue;
      for (const character of ['\0', '\u0007', '\n', '\u007f', '\u0085', '\u061c', '\u200b', '\u200f', '\u2028'])
        await expectRefused(name, field, `a${character}b`);
      for (const character of ['\u202a', '\u202e', '\u2066', '\u2069', '\ufeff', '\u2060'])
        await expectRefused(name, field, `${character}fdp.exe`);
    }
  });

  it('is a JSON object, said to be one', async () => {
    const json = { 'content-type': 'application/json' };
    // An empty body is an empty object, which some routes take.
    const empty = Check(route.body, {}) ? [] : [''];
    for (const body of [...empty, '{', '[]', '"x"', 'null', '7', '{"a":1}{', '\ufeff{', '[{}]', 'NaN']) {
      const answer = await callOf(name, { body, headers: json });
      expect({ body, status: answer.status, code: answer.error.code }).toEqual({
        body,
        status: 400,
        code: 'invalid_request',
      });
    }
    for (const type of ['text/plain', 'text/html', 'application/xml', 'application/x-www-form-urlencoded'])
      expect((await callOf(name, { body: 'a=b', headers: { 'content-type': type } })).status, type).toBe(415);
  });
});

const bodyFor = (name: RouteName, ids: Record<string, string>): Pick<CallInput, 'body' | 'headers' | 'query'> => {
  if (name === 'uploadFile')
    return { body: Buffer.from('x'), headers: { 'content-type': 'application/octet-stream' }, query: { name: 'a' } };
  if (!('body' in routes[name])) return {};
  const takesAgent = propertiesOf((routes[name] as { body: TSchema }).body).some(([field]) => field === 'agentId');
  return { body: { ...valid[name], ...(takesAgent && { agentId: ids['agentId'] }) } };
};
const idsOf = (name: RouteName): string[] => [
  ...[...routes[name].path.matchAll(/:(\w+)/g)].map((match) => String(match[1])),
  ...('body' in routes[name] &&
  propertiesOf((routes[name] as { body: TSchema }).body).some(([key]) => key === 'agentId')
    ? ['agentId']
    : []),
];
const withId = all.map(([name]) => name).filter((name) => idsOf(name).length > 0);

describe.each(withId)('the id that %s takes', (name) => {
  const { access } = routes[name];

  it('of somebody else does not exist', async () => {
    for (const id of idsOf(name)) expect(owned[id], `give this test an object for ":${id}"`).toBeTypeOf('string');
    const strangers = access === 'admin' ? [] : [bob, root];
    for (const stranger of strangers) {
      const answer = await stranger.call(name, { params: owned, ...bodyFor(name, owned) });
      expect({ status: answer.status, code: answer.error.code }).toEqual({ status: 404, code: 'not_found' });
    }
    if (access === 'admin') {
      const answer = await bob.call(name, { params: owned, ...bodyFor(name, owned) });
      expect({ status: answer.status, code: answer.error.code }).toEqual({ status: 403, code: 'forbidden' });
    }
  });

  it('that nothing has does not exist', async () => {
    const nothing = Object.fromEntries(idsOf(name).map((id) => [id, id === 'name' ? 'shell-9' : '999999999999999999']));
    const answer = await callOf(name, { params: nothing, ...bodyFor(name, nothing) });
    expect({ status: answer.status, code: answer.error.code }).toEqual({ status: 404, code: 'not_found' });
  });

  it('that is none is refused', async () => {
    const bad = [
      '0',
      '-1',
      'abc',
      '1e3',
      '1.5',
      '0x1',
      '%00',
      '%F0',
      '1%2F2',
      '..%2F1',
      '9'.repeat(19),
      '9'.repeat(400),
    ];
    for (const id of idsOf(name))
      for (const value of [...bad, '1%27--', '%20', 'null', 'undefined']) {
        const ids = { ...owned, [id]: value };
        const { status } = await callOf(name, { params: ids, ...bodyFor(name, ids) });
        expect([400, 404, 414], `${id} = ${value}`).toContain(status);
      }
  });
});

describe.each(all.filter(([, route]) => route.query !== undefined))('the query of %s', (name, { query }) => {
  it('is checked like a body', async () => {
    const fields = propertiesOf(query as TSchema).map(([field]) => field);
    const given = bodyFor(name, owned);
    const refused = async (changes: Record<string, string>): Promise<void> => {
      const answer = await callOf(name, { ...given, query: { ...given.query, ...changes } });
      expect({ changes, status: answer.status }).toEqual({ changes, status: 400 });
    };
    await refused({ unknown: '1' });
    for (const field of fields) await refused({ [field]: 'a'.repeat(5_000) });
    if (fields.includes('limit')) for (const limit of ['0', '-1', '1e9', 'abc', '1.5', '']) await refused({ limit });
  });
});

it('a name that is taken is refused, however it is written', async () => {
  for (const name of ['Ours', 'OURS', 'ｏｕｒｓ']) {
    const answer = await ada.call('createAgent', { body: agentBody({ name }) });
    expect({ name, status: answer.status, code: answer.error.code }).toEqual({ name, status: 409, code: 'name_taken' });
  }
  expect((await bob.call('createAgent', { body: agentBody({ name: 'Ours' }) })).status).toBe(201);
});

it('after all that everything is as it was', async () => {
  const { agents } = (await ada.call('listAgents')).body;
  expect(agents).toMatchObject([{ id: owned['agentId'], name: 'Ours', generation: 1 }]);
  expect((await ada.call('listTerminals', { params: owned })).status).not.toBe(404);
  expect((await ada.call('me')).body).toMatchObject({ displayName: 'ada', status: 'active', role: 'user' });
  expect((await root.call('listInvites')).body.invites.map(({ id }) => id)).toEqual([owned['inviteId']]);
  expect((await root.call('getSettings')).body).toMatchObject({ registration: 'invite' });
});
