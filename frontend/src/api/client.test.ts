import { routes } from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { signedInFixture as signedIn } from '../testing/signed-in.ts';
import { api, credentials, urlOf } from './client.ts';

const json = (body: unknown, status = 200) => Response.json(body, { status });
const envelope = (code: string, status: number) => json({ code, message: 'Told so.', requestId: 'r-1' }, status);

describe('urlOf', () => {
  it('fills in parameters and query, encoded', () => {
    expect(urlOf(routes.closeTerminal, { params: { sessionId: '5', name: 'shell-1' } })).toBe(
      '/api/sessions/5/terminals/shell-1',
    );
    expect(urlOf(routes.listUsers, { query: { search: 'a&b', limit: 5, cursor: undefined } })).toBe(
      '/api/admin/users?search=a%26b&limit=5',
    );
    expect(urlOf(routes.uploadFile, { params: { agentId: '../x' }, query: { name: 'ä.png' } })).toBe(
      '/api/agents/..%2Fx/uploads?name=%C3%A4.png',
    );
  });
  it('refuses to build a path with a hole', () => {
    expect(() => urlOf(routes.getAgent, {})).toThrow('agentId');
  });
});

describe('api.call', () => {
  const answers: ((request: { url: string; init: RequestInit }) => Response | Promise<Response>)[] = [];
  const seen: { url: string; method: string; headers: Headers; body: unknown }[] = [];

  beforeEach(() => {
    answers.length = 0;
    seen.length = 0;
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      seen.push({ url, method: init.method ?? 'GET', headers: new Headers(init.headers), body: init.body });
      const answer = answers.shift();
      if (!answer) throw new TypeError('no answer left');
      return answer({ url, init });
    });
    localStorage.clear();
    credentials.clear();
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('refreshes once when the token was refused, and repeats the call', async () => {
    localStorage.setItem('sac.refresh-secret', 'secret-0');
    answers.push(
      () => json(signedIn(1)),
      () => envelope('unauthenticated', 401),
      () => json(signedIn(2)),
      () => json({ agents: [], limit: 3 }),
    );
    expect(await api.call('listAgents')).toEqual({ agents: [], limit: 3 });
    expect(seen.map(({ url }) => url)).toEqual([
      '/api/auth/refresh',
      '/api/agents',
      '/api/auth/refresh',
      '/api/agents',
    ]);
    expect(seen[0]?.headers.get('x-sac-refresh-secret')).toBe('secret-0');
    expect(seen[3]?.headers.get('authorization')).toBe('Bearer token-2');
  });

  it('does not refresh for a wrong password, and says what the server said', async () => {
    localStorage.setItem('sac.refresh-secret', 'secret-0');
    answers.push(
      () => json(signedIn(1)),
      () => envelope('invalid_credentials', 401),
    );
    const attempt = api.call('changePassword', { body: { currentPassword: 'x', newPassword: 'long enough' } });
    await expect(attempt).rejects.toMatchObject({
      code: 'invalid_credentials',
      status: 401,
      requestId: 'r-1',
      message: 'Told so.',
    });
    expect(seen).toHaveLength(2);
  });

  it('sends no token with public calls', async () => {
    answers.push(() => envelope('invalid_credentials', 401));
    await expect(api.call('signIn', { body: { login: 'ana', password: 'x' } })).rejects.toMatchObject({
      code: 'invalid_credentials',
    });
    expect(seen[0]?.headers.has('authorization')).toBe(false);
    expect(seen[0]?.body).toBe('{"login":"ana","password":"x"}');
  });

  it('answers 204 with nothing and sends an empty object where the contract wants a body', async () => {
    localStorage.setItem('sac.refresh-secret', 'secret-0');
    answers.push(
      () => json(signedIn(1)),
      () => new Response(null, { status: 204 }),
    );
    expect(await api.call('signOutEverywhere')).toBeUndefined();
    expect(seen[1]?.body).toBe('{}');
  });

  it('tells network, timeout, cancelling and a foreign answer apart', async () => {
    await expect(api.call('getAuthState')).rejects.toMatchObject({ code: 'network', status: 0 });
    answers.push(() => new Response('<html>Bad gateway</html>', { status: 502 }));
    await expect(api.call('getAuthState')).rejects.toMatchObject({ code: 'unavailable', status: 502 });
    const waiting = ({ init }: { init: RequestInit }) =>
      new Promise<Response>((_resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
      });
    answers.push(waiting, waiting);
    await expect(api.call('getAuthState', {}, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'timeout' });
    const aborting = new AbortController();
    const cancelled = api.call('getAuthState', {}, { signal: aborting.signal });
    aborting.abort();
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
  });
});
