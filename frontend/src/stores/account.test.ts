import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentials } from '../api/client.ts';
import { signedInFixture } from '../testing/signed-in.ts';
import { useAccountStore } from './account.ts';
import { useAgentsStore } from './agents.ts';

describe('signing in', () => {
  const asked: { path: string; lastEventId: string | null }[] = [];
  const hello = 'id: 17\nevent: hello\ndata: {"type":"hello","version":"1.0.0"}\n\n';

  beforeEach(() => {
    asked.length = 0;
    localStorage.clear();
    setActivePinia(createPinia());
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      const { pathname: path } = new URL(url, 'http://sac.test');
      asked.push({ path, lastEventId: new Headers(init.headers).get('last-event-id') });
      if (path !== '/api/events') return Promise.resolve(Response.json({ agents: [], limit: 10 }));
      const stream = new ReadableStream({ start: (sink) => sink.enqueue(new TextEncoder().encode(hello)) });
      return Promise.resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }));
    });
  });
  afterEach(() => {
    credentials.clear();
    vi.unstubAllGlobals();
  });

  it('asks for the agents once and follows the events from before that on', async () => {
    const account = useAccountStore();
    account.accept({ ...signedInFixture(), lastEventId: '17' });
    await vi.waitFor(() => expect([account.link.phase, useAgentsStore().loaded]).toEqual(['open', true]));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked.filter(({ path }) => path === '/api/agents')).toHaveLength(1);
    expect(asked.filter(({ path }) => path === '/api/events')).toMatchObject([{ lastEventId: '17' }]);
  });
});
