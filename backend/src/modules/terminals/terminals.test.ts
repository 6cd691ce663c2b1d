import { Value } from 'typebox/value';
import { INNER_AUDIENCE, InnerClaims, TICKET_AUDIENCE, TicketClaims, type Agent } from '@sac/contracts';
import jwt from 'jsonwebtoken';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { agentBody, createAgentsFixture, terminal, type AgentsFixture } from '../../../test/agents.ts';
import { connectSidecar, done, type TestSidecar } from '../../../test/sidecar.ts';
import { terminalKey } from '../../lib/agent-keys.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let agent: Agent;
let sessionId: string;
let sidecar: TestSidecar;

beforeAll(async () => {
  fixture = await createAgentsFixture();
  ada = await fixture.person('ada');
  agent = await fixture.call('createAgent', ada, { body: agentBody() });
  ({
    session: { id: sessionId },
  } = await fixture.call('openSession', ada, { body: { agentId: agent.id } }));
  await vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'));
  sidecar = await connectSidecar(fixture.internalUrl, fixture.sidecar(agent.uid, 1));
});
beforeEach(async () => {
  await fixture.report(agent.uid, 1, { terminals: [terminal(), terminal('shell-1')] });
});
afterAll(async () => {
  sidecar.disconnect();
  await fixture.close();
});

const ticket = (name = 'main', mode: 'control' | 'view' = 'control') =>
  fixture.call('createTicket', ada, { params: { sessionId, name }, body: { mode } });
const tokenOf = (url: string) => new URL(url, 'http://x').searchParams.get('token') ?? '';

describe('a ticket', () => {
  it.each(['control', 'view'] as const)(
    'for mode %s opens one terminal of one generation for 30 seconds',
    async (mode) => {
      const { url, expiresAt } = await ticket('shell-1', mode);
      expect(url.startsWith(`/ws/${sessionId}?token=`)).toBe(true);
      expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(30_000);
      const { key, kid } = fixture.keys.terminalTicket.current;
      const outer = jwt.verify(tokenOf(url), key, { algorithms: ['HS256'], audience: TICKET_AUDIENCE, complete: true });
      expect(outer.header.kid).toBe(kid);
      const claims = outer.payload;
      if (!Value.Check(TicketClaims, claims)) throw new Error('not a ticket');
      expect(claims).toMatchObject({
        sub: ada.id,
        session: sessionId,
        authSession: ada.authSessionId,
        agentUid: agent.uid,
        generation: 1,
        terminal: 'shell-1',
        mode,
        upstream: { kind: 'unix' },
      });
      const inner = jwt.verify(claims.inner, terminalKey(fixture.keys.master, agent.uid, 1), {
        algorithms: ['HS256'],
        audience: INNER_AUDIENCE,
      });
      expect(Value.Check(InnerClaims, inner)).toBe(true);
      expect(inner).toMatchObject({
        sub: ada.id,
        userName: 'ada',
        agentUid: agent.uid,
        generation: 1,
        terminal: 'shell-1',
        mode,
      });
    },
  );

  it('is another one each time, and its parts cannot be taken for each other', async () => {
    const [first, second] = [tokenOf((await ticket()).url), tokenOf((await ticket()).url)];
    const { key } = fixture.keys.terminalTicket.current;
    const claims = [first, second].map((token) => jwt.verify(token, key) as TicketClaims);
    expect(claims[0]?.jti).not.toBe(claims[1]?.jti);
    expect(() => jwt.verify(claims[0]?.inner ?? '', key)).toThrow();
    expect(() => jwt.verify(first, terminalKey(fixture.keys.master, agent.uid, 1))).toThrow();
    expect(() => jwt.verify(claims[0]?.inner ?? '', terminalKey(fixture.keys.master, agent.uid, 2))).toThrow();
  });

  it('gives control only of terminals that exist, and exists only for open sessions', async () => {
    await expect(ticket('shell-9')).rejects.toMatchObject({ code: 'not_found' });
    await expect(ticket('shell-9', 'view')).resolves.toMatchObject({ url: expect.any(String) as string });
    const { session } = await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    await fixture.call('closeSession', ada, { params: { sessionId: session.id } });
    await fixture.call('closeSession', ada, { params: { sessionId: session.id } });
    await expect(
      fixture.call('createTicket', ada, { params: { sessionId: session.id, name: 'main' }, body: { mode: 'view' } }),
    ).rejects.toMatchObject({ code: 'not_found' });
  });

  it('never wakes an agent', async () => {
    const other = await fixture.call('createAgent', ada, { body: agentBody() });
    const { session } = await fixture.call('openSession', ada, { body: { agentId: other.id } });
    await vi.waitFor(() => expect(fixture.runtime.observed().get(other.uid)?.state).toBe('running'));
    const ask = () =>
      fixture.call('createTicket', ada, { params: { sessionId: session.id, name: 'main' }, body: { mode: 'control' } });
    fixture.runtime.becomes(other.uid, 'starting');
    await expect(ask()).rejects.toMatchObject({ code: 'not_ready' });
    await fixture.call('sleepAgent', ada, { params: { agentId: other.id } });
    await expect(ask()).rejects.toMatchObject({ code: 'asleep' });
    await vi.waitFor(() => expect(fixture.runtime.observed().has(other.uid)).toBe(false));
    await expect(ask()).rejects.toMatchObject({ code: 'asleep' });
    expect((await fixture.call('getAgent', ada, { params: { agentId: other.id } })).status.state).toBe('asleep');
  });

  it('is limited in number per person', async () => {
    const eve = await fixture.person('eve');
    const ask = () =>
      fixture
        .call('createTicket', eve, { params: { sessionId, name: 'main' }, body: { mode: 'control' } })
        .catch((error: { code: string }) => error.code);
    const codes: unknown[] = [];
    for (let count = 0; count < 250; count += 1) codes.push(await ask());
    expect(codes.filter((code) => code === 'not_found')).toHaveLength(240);
    expect(codes.at(-1)).toBe('rate_limited');
  });
});

describe('terminals', () => {
  it('are listed as the sandbox reports them', async () => {
    expect(await fixture.call('listTerminals', ada, { params: { sessionId } })).toEqual({
      terminals: [terminal(), terminal('shell-1')],
    });
  });

  it('are opened by the sandbox; a ticket for a new one is there at once', async () => {
    sidecar.answerAll(() => ({ ...done, value: terminal('shell-2') }));
    expect(await fixture.call('createTerminal', ada, { params: { sessionId } })).toEqual(terminal('shell-2'));
    await expect(ticket('shell-2')).resolves.toMatchObject({ url: expect.any(String) as string });
  });

  it('are not opened beyond the limit', async () => {
    await fixture.report(agent.uid, 1, {
      terminals: [terminal(), ...Array.from({ length: 15 }, (_value, index) => terminal(`shell-${index + 1}`))],
    });
    await expect(fixture.call('createTerminal', ada, { params: { sessionId } })).rejects.toMatchObject({
      code: 'limit_reached',
      details: { limit: 16 },
    });
  });

  it('that have ended do not count', async () => {
    const ended = { running: false, exit: { code: 0, signal: null } };
    const shells = Array.from({ length: 15 }, (_value, index) => terminal(`shell-${index + 1}`));
    await fixture.report(agent.uid, 1, {
      terminals: [terminal(), { ...terminal('shell-1'), ...ended }, ...shells.slice(1)],
    });
    sidecar.answerAll(() => ({ ...done, value: terminal('shell-1') }));
    await expect(fixture.call('createTerminal', ada, { params: { sessionId } })).resolves.toMatchObject({
      running: true,
    });
  });

  it('are closed by the sandbox, except main', async () => {
    sidecar.answerAll((command) =>
      command.kind === 'closeTerminal' && command.name === 'shell-1' ? done : { outcome: 'failed', reason: 'no' },
    );
    await fixture.call('closeTerminal', ada, { params: { sessionId, name: 'shell-1' } });
    await expect(fixture.call('closeTerminal', ada, { params: { sessionId, name: 'main' } })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(fixture.call('closeTerminal', ada, { params: { sessionId, name: 'shell-7' } })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('say why they could not be opened', async () => {
    sidecar.answerAll(() => ({ outcome: 'failed', reason: 'out of ptys' }));
    await expect(fixture.call('createTerminal', ada, { params: { sessionId } })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('out of ptys') as string,
    });
  });

  it('are not opened later when the person has gone away meanwhile', async () => {
    sidecar.disconnect();
    const abort = new AbortController();
    const result = fixture.call('createTerminal', ada, { params: { sessionId }, signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(result).rejects.toMatchObject({ code: 'unavailable' });
    sidecar = await connectSidecar(fixture.internalUrl, fixture.sidecar(agent.uid, 1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sidecar.commands).toEqual([]);
  });
});

// Last: it ends the sandbox.
describe('where agents cannot be isolated', () => {
  it('a user gets no ticket, and what runs is ended', async () => {
    fixture.runtime.isolationNow = { isolated: false, reason: 'No bwrap.', fix: 'Install it.' };
    await expect(ticket()).rejects.toMatchObject({ code: 'isolation_unavailable' });
    await fixture.report(agent.uid, 1);
    await vi.waitFor(() => expect(fixture.runtime.observed().has(agent.uid)).toBe(false));
    expect((await fixture.call('getAgent', ada, { params: { agentId: agent.id } })).status).toMatchObject({
      state: 'failed',
      failure: { code: 'isolation_unavailable' },
    });
  });
});
