import { noPodValues, type Agent, type Capabilities } from '@sac/contracts';
import { flushPromises } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { credentials } from '../../api/client.ts';
import { agentFixture, capabilitiesFixture } from '../../testing/agent-fixture.ts';
import { mountPage, refusal, answerRequests, type Rule } from '../../testing/mount-page.ts';
import EditorForm from './EditorForm.vue';

const open = async (agent: Agent | null = null, props: Record<string, unknown> = {}) => {
  const { page, router } = await mountPage(EditorForm, {
    agent,
    capabilities: capabilitiesFixture,
    userId: '1',
    mayRun: true,
    start: {},
    ...props,
  });
  const field = (testid: string) => page.find<HTMLInputElement>(`[data-testid="${testid}"]`);
  const submit = async () => {
    await page.find('form').trigger('submit');
    await flushPromises();
  };
  return { page, router, field, submit };
};
const create =
  (answer: ReturnType<Rule>): Rule =>
  (request) =>
    request.method === 'POST' && request.path === '/api/agents' ? answer : undefined;
const bodies = (seen: ReturnType<typeof answerRequests>, method: string) =>
  seen.filter((request) => request.method === method).map(({ body }) => body);

describe('EditorForm', () => {
  beforeEach(() => localStorage.clear());
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('says what is missing and sends nothing', async () => {
    const seen = answerRequests();
    const { page, submit } = await open();
    await submit();
    expect(page.text()).toContain('Give the agent a name.');
    expect(bodies(seen, 'POST')).toEqual([]);
    page.unmount();
  });

  it('creates the agent, drops the draft and opens its page', async () => {
    const seen = answerRequests(create({ status: 201, body: agentFixture({}, { id: '9' }) }));
    const { page, router, field, submit } = await open();
    await field('agent-name').setValue('  Nightly triage ');
    await field('api-key').setValue('sk-secret');
    await vi.waitFor(() => expect(localStorage.getItem('sac.draft.agent.1.new')).toContain('Nightly'));
    expect(localStorage.getItem('sac.draft.agent.1.new')).not.toContain('sk-secret');
    await submit();
    expect(bodies(seen, 'POST')).toMatchObject([
      { name: 'Nightly triage', providerToken: 'sk-secret', provider: { preset: 'anthropic' } },
    ]);
    expect(router.currentRoute.value.fullPath).toBe('/agents/9');
    expect(localStorage.getItem('sac.draft.agent.1.new')).toBeNull();
    page.unmount();
  });

  it('shows problems of the server at their field until it is changed, and keeps the input', async () => {
    const details = { fields: [{ path: '/provider/baseUrl', message: 'leads nowhere' }] };
    answerRequests(create(refusal(400, 'invalid_request', { details })));
    const { page, field, submit } = await open();
    await field('agent-name').setValue('Nightly');
    await submit();
    expect(page.text()).toContain('leads nowhere');
    expect(field('agent-name').element.value).toBe('Nightly');
    await field('base-url').setValue('https://elsewhere.example.com');
    expect(page.text()).not.toContain('leads nowhere');
    page.unmount();
  });

  it('explains a name that is taken at the name', async () => {
    answerRequests(create(refusal(409, 'name_taken')));
    const { page, field, submit } = await open();
    await field('agent-name').setValue('Docs site');
    await submit();
    expect(field('agent-name').attributes('aria-invalid')).toBe('true');
    expect(page.text()).toContain('You already have an agent of this name.');
    page.unmount();
  });

  it('refuses reserved variables in words', async () => {
    const seen = answerRequests();
    const { page, field, submit } = await open();
    await field('agent-name').setValue('Nightly');
    await field('add-variable').trigger('click');
    await page.find('[data-env-name]').setValue('LD_PRELOAD');
    await submit();
    expect(page.text()).toContain('LD_PRELOAD is set by the server');
    expect(bodies(seen, 'POST')).toEqual([]);
    page.unmount();
  });

  it('asks a shell for no provider', async () => {
    answerRequests();
    const { page, field } = await open();
    expect(field('base-url').exists()).toBe(true);
    await field('agent-cli-shell').setValue(true);
    expect(field('base-url').exists()).toBe(false);
    page.unmount();
  });

  it('sends only what changed and says what waits for a restart', async () => {
    const seen = answerRequests(({ method }) => (method === 'PATCH' ? { body: agentFixture() } : undefined));
    const { page, field, submit } = await open(agentFixture());
    expect(field('api-key').exists()).toBe(false);
    expect(page.text()).toContain('can be replaced, never read back');
    await field('agent-name').setValue('Docs');
    expect(field('restart-note').text()).toContain('Nothing restarts');
    await field('agent-instructions').setValue('Be very brief.');
    expect(field('restart-note').text()).toContain('instructions');
    await submit();
    expect(bodies(seen, 'PATCH')).toEqual([{ name: 'Docs', instructions: 'Be very brief.' }]);
    page.unmount();
  });

  it('says how much is recorded, and refuses a size nobody may have', async () => {
    const seen = answerRequests(({ method }) => (method === 'PATCH' ? { body: agentFixture() } : undefined));
    const { page, field, submit } = await open(agentFixture());
    expect(page.text()).toContain('16 MiB');
    await field('change-sandbox').trigger('click');
    await field('recording-megabytes').setValue('257');
    await submit();
    expect(page.text()).toContain('from 0 to 256');
    await field('recording-megabytes').setValue('0');
    expect(page.text()).toContain('Recordingoffagent');
    expect(field('restart-note').text()).toContain('recording');
    await submit();
    expect(bodies(seen, 'PATCH')).toEqual([{ recordingMegabytes: 0 }]);
    page.unmount();
  });

  const inCluster = {
    capabilities: {
      ...capabilitiesFixture,
      runtime: 'kubernetes',
      idleMinutes: 60,
      pod: {
        levels: {
          installation: { ...noPodValues, cpuLimit: '2', memoryLimit: '4Gi', storageSize: '10Gi', egress: 'internet' },
          system: { ...noPodValues, memoryLimit: '6Gi' },
          user: noPodValues,
        },
        limits: { cpu: '16', memory: '64Gi', storage: '8Gi', egress: 'proxy' },
        installationLimits: { cpu: '16', memory: '64Gi', storage: '8Gi', egress: 'internet' },
        images: ['sac-agent:1', 'data:2'],
        runtimeClasses: [],
      },
    } satisfies Capabilities,
  };

  it('says what the sandbox gets, who decided it, and refuses four terabytes in words', async () => {
    const seen = answerRequests(({ method }) => (method === 'PATCH' ? { body: agentFixture() } : undefined));
    const { page, field, submit } = await open(agentFixture(), inCluster);
    for (const fact of ['2 cores', '6 GiB', 'system', '8 GiB', 'limit', 'proxies only'])
      expect(page.text()).toContain(fact);
    expect(field('sandbox-section').exists()).toBe(false);
    await field('change-sandbox').trigger('click');
    expect(field('pod-memoryLimit').attributes('placeholder')).toBe('6 GiB (system)');
    await field('pod-memoryLimit').setValue('4Ti');
    await field('pod-cpuRequest').setValue('3');
    await field('idle-minutes').setValue('soon');
    await submit();
    expect(page.text()).toContain('4Ti is more than one agent may have: the limit is 64Gi.');
    expect(page.text()).toContain('3 is reserved, but at most 2 may be used.');
    expect(page.text()).toContain('A whole number of minutes');
    expect(bodies(seen, 'PATCH')).toEqual([]);
    await field('pod-memoryLimit').setValue('8Gi');
    await field('pod-cpuRequest').setValue('');
    await field('idle-minutes').setValue('15');
    expect(field('restart-note').text()).toContain('sandbox resources');
    await submit();
    expect(bodies(seen, 'PATCH')).toEqual([{ pod: { ...noPodValues, memoryLimit: '8Gi' }, idleMinutes: 15 }]);
    page.unmount();
  });

  it('shows a refusal of the server at the field of the sandbox, which it opens', async () => {
    const details = { fields: [{ path: '/pod/image', message: 'The image is not allowed.' }] };
    answerRequests(create(refusal(400, 'invalid_request', { details })));
    const { page, field, submit } = await open(null, inCluster);
    await field('agent-name').setValue('Nightly');
    await submit();
    expect(field('sandbox-section').text()).toContain('The image is not allowed.');
    page.unmount();
  });

  it('has no fields of a cluster on one machine', async () => {
    answerRequests();
    const { page, field } = await open();
    await field('change-sandbox').trigger('click');
    expect(field('idle-minutes').exists()).toBe(true);
    expect(field('pod-memoryLimit').exists()).toBe(false);
    page.unmount();
  });

  it('brings unsaved changes back and can discard them', async () => {
    answerRequests();
    const first = await open();
    await first.field('agent-name').setValue('Half done');
    first.page.unmount();
    const again = await open();
    expect(again.field('agent-name').element.value).toBe('Half done');
    await again.page.find('[data-testid="draft-restored"] button').trigger('click');
    expect(again.field('agent-name').element.value).toBe('');
    again.page.unmount();
  });

  it('asks before unsaved changes are left, and keeps them when told so', async () => {
    answerRequests();
    const { page, router, field } = await open();
    await field('agent-name').setValue('Half done');
    const leaving = router.push('/');
    await vi.waitFor(() => expect(document.body.textContent).toContain('Leave with unsaved changes?'));
    expect(router.currentRoute.value.fullPath).toBe('/shown');
    const buttons = [...document.querySelectorAll<HTMLButtonElement>('.n-dialog button')];
    buttons.find((button) => button.textContent.includes('Keep draft'))?.click();
    await leaving;
    expect(router.currentRoute.value.fullPath).toBe('/');
    expect(localStorage.getItem('sac.draft.agent.1.new')).toContain('Half done');
    page.unmount();
  });

  it('lets someone who was signed out leave without a question, and keeps the draft', async () => {
    answerRequests();
    const { page, router, field } = await open();
    await field('agent-name').setValue('Half done');
    credentials.clear();
    await router.push('/');
    expect(router.currentRoute.value.fullPath).toBe('/');
    expect(localStorage.getItem('sac.draft.agent.1.new')).toContain('Half done');
    page.unmount();
  });

  it('does not let someone create what could not run', async () => {
    const seen = answerRequests();
    const { page, field, submit } = await open(null, { mayRun: false });
    await field('agent-name').setValue('Nightly');
    await submit();
    expect(page.find('[data-testid="may-not-run"]').exists()).toBe(true);
    expect(bodies(seen, 'POST')).toEqual([]);
    page.unmount();
  });
});
