import { flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { NDialogProvider, NMessageProvider, NNotificationProvider } from 'naive-ui';
import { createPinia, setActivePinia } from 'pinia';
import { vi } from 'vitest';
import { h, type Component } from 'vue';
import { createMemoryHistory, createRouter, RouterView, type Router } from 'vue-router';
import { credentials } from '../api/client.ts';
import { i18n } from '../locales/index.ts';
import { useAccountStore } from '../stores/account.ts';
import { signedInFixture } from './signed-in.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}
/** Answers one request; undefined leaves it to the next rule. */
export type Rule = (request: SeenRequest) => { status?: number; body?: unknown } | undefined;

/** The server as the page sees it: rules in front of an empty installation. Returns what was asked. */
export const answerRequests = (...rules: Rule[]): SeenRequest[] => {
  const seen: SeenRequest[] = [];
  const usual: Rule = ({ method, path }) => {
    if (path === '/api/agents' && method === 'GET') return { body: { agents: [], limit: 10 } };
    if (path.endsWith('/prompts') && method === 'GET') return { body: { prompts: [] } };
    return method === 'DELETE'
      ? { status: 204 }
      : { status: 404, body: { code: 'not_found', message: 'Nothing here.', requestId: 'r-404' } };
  };
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const path = new URL(url, 'http://sac.test').pathname;
    // The event stream stays open and silent.
    if (path === '/api/events') return new Promise(() => undefined);
    const body: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
    const request = { method: init.method ?? 'GET', path, body };
    seen.push(request);
    const answer = [...rules, usual].map((rule) => rule(request)).find((found) => found !== undefined);
    const status = answer?.status ?? 200;
    return Promise.resolve(
      status === 204 ? new Response(null, { status }) : Response.json(answer?.body ?? null, { status }),
    );
  });
  return seen;
};

export const refusal = (status: number, code: string, more: object = {}) => ({
  status,
  body: { code, message: 'Told so.', requestId: 'r-1', ...more },
});

export interface MountedPage {
  readonly page: VueWrapper;
  readonly router: Router;
}

/** Mounts a component inside everything a page stands in, with somebody signed in. */
export const mountPage = async (component: Component, props: Record<string, unknown>): Promise<MountedPage> => {
  const pinia = createPinia();
  setActivePinia(pinia);
  const blank: Component = { render: () => h('div') };
  const shown: Component = { render: () => h(component, props) };
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { name: 'shown', path: '/shown', component: shown },
      { name: 'home', path: '/', component: blank },
      { name: 'agent', path: '/agents/:agentId', component: blank },
      { name: 'agent-edit', path: '/agents/:agentId/edit', component: blank },
    ],
  });
  await router.push('/shown');
  useAccountStore();
  credentials.accept(signedInFixture());
  const tree = () => h(NMessageProvider, () => h(NNotificationProvider, () => h(NDialogProvider, () => h(RouterView))));
  const page = mount(tree, {
    global: { plugins: [pinia, i18n, router] },
    attachTo: document.body,
  });
  await flushPromises();
  return { page, router };
};
