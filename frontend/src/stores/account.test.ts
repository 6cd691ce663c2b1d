import { mount } from '@vue/test-utils';
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentials } from '../api/client.ts';
import FrameNotices from '../features/frame/FrameNotices.vue';
import { i18n } from '../locales/index.ts';
import { signedInFixture } from '../testing/signed-in.ts';
import { useAccountStore } from './account.ts';
import { useAgentsStore } from './agents.ts';

describe('signing in', () => {
  const asked: { path: string; lastEventId: string | null }[] = [];
  let say: (staleSince: string) => void;

  beforeEach(() => {
    asked.length = 0;
    localStorage.clear();
    setActivePinia(createPinia());
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      const { pathname: path } = new URL(url, 'http://sac.test');
      asked.push({ path, lastEventId: new Headers(init.headers).get('last-event-id') });
      if (path !== '/api/events') return Promise.resolve(Response.json({ agents: [], limit: 10 }));
      const stream = new ReadableStream({
        start: (sink) => {
          say = (staleSince) => {
            const data = `{"type":"hello","version":"1.0.0","staleSince":${staleSince}}`;
            sink.enqueue(new TextEncoder().encode(`id: 17\nevent: hello\ndata: ${data}\n\n`));
          };
          say('null');
        },
      });
      return Promise.resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }));
    });
  });
  afterEach(() => {
    credentials.clear();
    vi.unstubAllGlobals();
  });

  it('asks for the agents once, follows the events from before that on, and says when the cluster does not answer', async () => {
    const account = useAccountStore();
    account.accept({ ...signedInFixture(), lastEventId: '17' });
    await vi.waitFor(() => expect([account.link.phase, useAgentsStore().loaded]).toEqual(['open', true]));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked.filter(({ path }) => path === '/api/agents')).toHaveLength(1);
    expect(asked.filter(({ path }) => path === '/api/events')).toMatchObject([{ lastEventId: '17' }]);
    expect(account.staleSince).toBeNull();

    say('"2026-01-02T03:04:05.000Z"');
    await vi.waitFor(() => expect(account.staleSince).toBe('2026-01-02T03:04:05.000Z'));
    const page = mount(FrameNotices, { global: { plugins: [i18n] } });
    expect(page.text()).toContain('The cluster has not answered since');
    say('null');
    await vi.waitFor(() => expect(page.text()).not.toContain('The cluster'));
  });
});
