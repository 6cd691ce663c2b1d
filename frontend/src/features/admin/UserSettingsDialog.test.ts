import { noPodLimits, noPodValues, type PodCapabilities, type UserSettings } from '@sac/contracts';
import { flushPromises } from '@vue/test-utils';
import { NSelect } from 'naive-ui';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineComponent, h } from 'vue';
import { capabilitiesFixture } from '../../testing/agent-fixture.ts';
import { mountPage, refusal, answerRequests } from '../../testing/mount-page.ts';
import UserSettingsDialog from './UserSettingsDialog.vue';

const settings: UserSettings = {
  agentsPerUser: 3,
  idleMinutes: null,
  podDefaults: noPodValues,
  podLimits: { ...noPodLimits, memory: '8Gi' },
};
const inherited = {
  agentsPerUser: 10,
  idleMinutes: 60,
  podDefaults: { ...noPodValues, memoryLimit: '4Gi', image: 'registry.example/team/agent:1' },
  podLimits: { ...noPodLimits, memory: '64Gi' },
};

const pod: PodCapabilities = {
  levels: {
    installation: { ...noPodValues, image: 'registry.example/team/agent:1' },
    system: noPodValues,
    user: noPodValues,
  },
  limits: noPodLimits,
  installationLimits: noPodLimits,
  images: ['registry.example/team/agent:1', 'registry.example/team/python:3', 'registry.example/try/*'],
  runtimeClasses: [],
};

const open = async (runtime: 'kubernetes' | 'local', patch: Parameters<typeof answerRequests>[0] = () => undefined) => {
  const seen = answerRequests((request) => {
    if (request.method !== 'GET') return patch(request);
    if (request.path === '/api/capabilities')
      return { body: { ...capabilitiesFixture, runtime, pod: runtime === 'kubernetes' ? pod : null } };
    return request.path === '/api/admin/users/2/settings' ? { body: { settings, inherited } } : undefined;
  });
  const Host = defineComponent(() => () => h(UserSettingsDialog, { user: { id: '2', username: 'ben' } }));
  const { page } = await mountPage(Host, {});
  const input = (testid: string) => document.querySelector<HTMLInputElement>(`[data-testid="${testid}"]`);
  await vi.waitFor(() => expect(input('user-agents')).not.toBeNull());
  const set = async (testid: string, value: string): Promise<void> => {
    const field = input(testid);
    if (!field) throw new Error(`no ${testid}`);
    field.value = value;
    field.dispatchEvent(new Event('input'));
    field.dispatchEvent(new Event('change'));
    await flushPromises();
  };
  const save = async (): Promise<void> => {
    document.querySelector('#user-settings-form')?.dispatchEvent(new Event('submit', { cancelable: true }));
    await flushPromises();
  };
  const patches = () => seen.filter(({ method }) => method === 'PATCH').map(({ path, body }) => ({ path, body }));
  return { page, input, set, save, patches };
};

describe('limits of one account', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('show what holds instead, and are sent as far as they changed', async () => {
    const { page, input, set, save, patches } = await open('kubernetes', () => ({ body: { settings, inherited } }));
    expect(input('user-agents')?.value).toBe('3');
    expect(input('memory-byDefault')?.placeholder).toBe('4 GiB');
    expect(input('memory-most')?.value).toBe('8Gi');
    await set('memory-most', '');
    await set('cpu-byDefault', '3');
    await save();
    expect(patches()).toEqual([
      {
        path: '/api/admin/users/2/settings',
        body: { podDefaults: { ...noPodValues, cpuLimit: '3' }, podLimits: noPodLimits },
      },
    ]);
    page.unmount();
  });

  it('stay when the server refuses them, with its reason', async () => {
    const details = { fields: [{ path: '/podDefaults/memoryLimit', message: 'the limit is 8Gi' }] };
    const { page, input, set, save } = await open('kubernetes', () => refusal(400, 'invalid_request', { details }));
    await set('memory-byDefault', '9Gi');
    await save();
    await vi.waitFor(() => expect(document.querySelector('[role="alert"]')).not.toBeNull());
    expect(input('memory-byDefault')?.value).toBe('9Gi');
    page.unmount();
  });

  it('offer the images of the operator, and no runtime class where there is none', async () => {
    const { page, save, patches } = await open('kubernetes', () => ({ body: { settings, inherited } }));
    const select = page.findAllComponents(NSelect).find((each) => each.attributes('data-testid') === 'image-byDefault');
    expect(select?.props('options')).toEqual([
      { value: '', label: 'agent:1 (unchanged)' },
      { value: 'registry.example/team/agent:1', label: 'agent:1' },
      { value: 'registry.example/team/python:3', label: 'python:3' },
    ]);
    expect(document.querySelector('[data-testid="runtimeClass-byDefault"]')).toBeNull();
    select?.vm.$emit('update:value', 'registry.example/try/new:7');
    await flushPromises();
    await save();
    expect(patches().map(({ body }) => body)).toEqual([
      { podDefaults: { ...noPodValues, image: 'registry.example/try/new:7' } },
    ]);
    page.unmount();
  });

  it('are no resources on one machine', async () => {
    const { page, input } = await open('local');
    expect(input('memory-most')).toBeNull();
    page.unmount();
  });
});
