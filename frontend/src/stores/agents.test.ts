import { noPodValues, type Agent, type AgentState, type Prompt, type ServerEvent } from '@sac/contracts';
import { createPinia, setActivePinia } from 'pinia';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { api } from '../api/client.ts';
import { insertPrompt } from './agent-order.ts';
import { useAgentsStore } from './agents.ts';

const agent = (id: string, state: AgentState, minute: number, generation = 1): Agent => ({
  id,
  uid: `u${id}`,
  name: `Agent ${id}`,
  icon: 'star',
  description: '',
  instructions: '',
  cli: 'claude-code',
  permissionMode: 'default',
  provider: null,
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [],
  hasProviderToken: false,
  idleMinutes: null,
  recordingMegabytes: null,
  pod: noPodValues,
  keepAwakeUntil: null,
  generation,
  revision: 1,
  status: {
    state,
    since: `2026-11-21T10:${String(minute).padStart(2, '0')}:00.000Z`,
    activity: null,
    phases: [],
    failure: null,
    reachable: false,
    restartRequired: false,
    isolated: true,
  },
  createdAt: '2026-11-20T00:00:00.000Z',
  updatedAt: '2026-11-20T00:00:00.000Z',
  lastActiveAt: `2026-11-21T10:${String(minute).padStart(2, '0')}:00.000Z`,
});
const prompt = (id: string, state: Prompt['state']): Prompt => ({
  id,
  agentId: '1',
  clientRequestId: `request-${id}`,
  text: 'x',
  state,
  position: Number(id),
  reason: null,
  createdAt: '2026-11-21T10:00:00.000Z',
  settledAt: null,
});

describe('agents store', () => {
  beforeEach(() => {
    setActivePinia(createPinia());
    localStorage.clear();
  });

  it('orders waiting, working, recent; longest first, last used first', () => {
    const store = useAgentsStore();
    for (const entry of [
      agent('1', 'asleep', 1),
      agent('2', 'working', 9),
      agent('3', 'waiting', 5),
      agent('4', 'starting', 3),
      agent('5', 'failed', 8),
      agent('6', 'waiting', 2),
    ]) {
      store.apply({ type: 'agent', agent: entry });
    }
    expect(store.groups.map((group) => [group.name, group.agents.map(({ id }) => id)])).toEqual([
      ['waiting', ['6', '3']],
      ['working', ['4', '2']],
      ['recent', ['5', '1']],
    ]);
  });

  it('a list that was asked for before an event does not undo the event', async () => {
    const store = useAgentsStore();
    let answer: (value: unknown) => void = () => undefined;
    vi.spyOn(api, 'call').mockReturnValueOnce(new Promise((resolve) => (answer = resolve)) as never);
    store.apply({ type: 'agent', agent: agent('9', 'ready', 1) });
    const loading = store.load();
    store.apply({ type: 'agent', agent: agent('1', 'working', 5) });
    store.apply({ type: 'agent-deleted', agentId: '2' });
    store.apply({ type: 'agent', agent: agent('3', 'ready', 5) });
    answer({ agents: [agent('1', 'asleep', 1), agent('2', 'asleep', 1), agent('4', 'asleep', 1)], limit: 7 });
    await loading;
    expect(store.agents.map(({ id, status }) => `${id} ${status.state}`).sort()).toEqual([
      '1 working',
      '3 ready',
      '4 asleep',
    ]);
    expect(store.limit).toBe(7);
  });

  it('an answer about an older sandbox never replaces a newer one', () => {
    const store = useAgentsStore();
    store.put(agent('1', 'ready', 5, 3));
    store.put(agent('1', 'asleep', 4, 2));
    expect(store.byId('1')?.status.state).toBe('ready');
  });

  it('an answer that was overtaken by an event does not undo it, one that knows as much as the event does', () => {
    const store = useAgentsStore();
    const seen = (state: AgentState, revision: number): Agent => ({ ...agent('1', state, 1), revision });
    store.put(seen('starting', 4));
    store.apply({ type: 'agent', agent: seen('working', 6) });
    store.put(seen('ready', 5));
    expect(store.byId('1')?.status.state).toBe('working');
    store.put(seen('stopping', 6));
    expect(store.byId('1')?.status.state).toBe('stopping');
  });

  describe('news without a large configuration', () => {
    const known: Agent = { ...agent('1', 'ready', 1), instructions: 'Ask.', updatedAt: '2026-11-21T10:00:00.000Z' };
    const news = (changes: Partial<Agent>): ServerEvent => {
      const { instructions: _, environment: __, ...rest } = { ...known, revision: 2, ...changes };
      return { type: 'agent', agent: rest };
    };

    it('leave what is known of it, and ask for nothing', () => {
      const store = useAgentsStore();
      const call = vi.spyOn(api, 'call');
      store.put(known);
      store.apply(news({ description: 'new' }));
      expect(store.byId('1')).toMatchObject({ description: 'new', instructions: 'Ask.', environment: [], revision: 2 });
      expect(call).not.toHaveBeenCalled();
      call.mockRestore();
    });

    it('have it asked for when it was changed, again with the next news if that failed', async () => {
      const store = useAgentsStore();
      const changed = { updatedAt: '2026-11-21T10:05:00.000Z' };
      const call = vi.spyOn(api, 'call').mockRejectedValueOnce(new Error('away'));
      store.put(known);
      store.apply(news({ ...changed, name: 'Renamed' }));
      expect(store.byId('1')).toMatchObject({ name: 'Renamed', instructions: 'Ask.', updatedAt: known.updatedAt });
      call.mockResolvedValueOnce({ ...known, ...changed, instructions: 'Do.', revision: 3 } as never);
      store.apply(news({ ...changed, revision: 3 }));
      expect(call).toHaveBeenLastCalledWith('getAgent', { params: { agentId: '1' } });
      await vi.waitFor(() => expect(store.byId('1')).toMatchObject({ instructions: 'Do.', ...changed }));
      call.mockRestore();
    });

    it('of an agent that is not known have it asked for', async () => {
      const store = useAgentsStore();
      const call = vi.spyOn(api, 'call').mockResolvedValueOnce(known as never);
      store.apply(news({}));
      expect(store.byId('1')).toBeUndefined();
      await vi.waitFor(() => expect(store.byId('1')?.instructions).toBe('Ask.'));
      call.mockRestore();
    });
  });

  it('marks as unread what finished while nobody looked', () => {
    const store = useAgentsStore();
    store.put(agent('1', 'working', 1));
    store.put(agent('2', 'working', 1));
    store.setViewing(['2']);
    store.put(agent('1', 'ready', 2));
    store.put(agent('2', 'ready', 2));
    expect([store.isUnread('1'), store.isUnread('2')]).toEqual([true, false]);
    store.setViewing(['1']);
    expect(store.isUnread('1')).toBe(false);
  });

  it('unmarks what is on screen when somebody comes back to the page, or another tab marked it', async () => {
    const store = useAgentsStore();
    const visible = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    store.put(agent('2', 'working', 1));
    store.setViewing(['2']);
    store.put(agent('2', 'ready', 2));
    expect(store.isUnread('2')).toBe(true);
    visible.mockReturnValue('visible');
    document.dispatchEvent(new Event('visibilitychange'));
    expect(store.isUnread('2')).toBe(false);
    const storageArea = localStorage;
    localStorage.setItem('sac.unread', '["2","3"]');
    window.dispatchEvent(new StorageEvent('storage', { key: 'sac.unread', newValue: '["2","3"]', storageArea }));
    await vi.waitFor(() => expect([store.isUnread('2'), store.isUnread('3')]).toEqual([false, true]));
    visible.mockRestore();
  });

  it('keeps prompts in order, newest state wins, cancelled ones go', () => {
    const store = useAgentsStore();
    store.apply({ type: 'prompt', prompt: prompt('10', 'queued') });
    store.apply({ type: 'prompt', prompt: prompt('9', 'queued') });
    store.apply({ type: 'prompt', prompt: prompt('10', 'delivered') });
    expect(store.promptsOf('1').map(({ id, state }) => `${id} ${state}`)).toEqual(['9 queued', '10 delivered']);
    store.apply({ type: 'prompt', prompt: prompt('9', 'cancelled') });
    expect(store.promptsOf('1')).toHaveLength(1);
  });

  it('moves prompts without being told their texts again', () => {
    const store = useAgentsStore();
    for (const id of ['9', '10', '11']) store.apply({ type: 'prompt', prompt: prompt(id, 'queued') });
    const before = store.promptsOf('1').map(({ id, position, text }) => [id, position, text] as const);
    const places = [
      { id: '9', position: 11 },
      { id: '11', position: 9 },
      { id: '77', position: 1 },
    ];
    store.apply({ type: 'prompt-places', agentId: '1', places });
    const known = store.promptsOf('1').map(({ id, position, text }) => [id, position, text]);
    expect(known).toEqual(before.map(([id, position, text]) => [id, { 9: 11, 11: 9 }[Number(id)] ?? position, text]));
  });

  it('a list of prompts that was asked for before an event neither undoes it nor brings back what went', async () => {
    const store = useAgentsStore();
    let answer: (value: unknown) => void = () => undefined;
    const call = vi.spyOn(api, 'call').mockReturnValueOnce(new Promise((resolve) => (answer = resolve)) as never);
    for (const id of ['1', '2', '3', '4']) store.apply({ type: 'prompt', prompt: prompt(id, 'queued') });
    const loading = store.loadPrompts('1');
    store.apply({ type: 'prompt', prompt: prompt('1', 'delivered') });
    store.apply({ type: 'prompt', prompt: prompt('2', 'cancelled') });
    store.apply({ type: 'prompt', prompt: prompt('5', 'queued') });
    answer({ prompts: [prompt('1', 'delivering'), prompt('2', 'queued'), prompt('3', 'delivering')] });
    await loading;
    expect(store.promptsOf('1').map(({ id, state }) => `${id} ${state}`)).toEqual([
      '1 delivered',
      '3 delivering',
      '5 queued',
    ]);
    call.mockRestore();
  });

  it('keeps the prompts it knows when they cannot be loaded anew', async () => {
    const store = useAgentsStore();
    store.apply({ type: 'prompt', prompt: prompt('1', 'queued') });
    const call = vi.spyOn(api, 'call').mockRejectedValue(new Error('away'));
    store.apply({ type: 'resync' });
    await vi.waitFor(() => expect(store.error).not.toBeNull());
    expect(store.promptsOf('1')).toHaveLength(1);
    call.mockRestore();
  });

  it('asks anew after a resync although an answer is still on its way', async () => {
    const store = useAgentsStore();
    let answer: (value: unknown) => void = () => undefined;
    const call = vi.spyOn(api, 'call').mockReturnValueOnce(new Promise((resolve) => (answer = resolve)) as never);
    call.mockResolvedValue({ agents: [agent('1', 'ready', 1)], limit: 1 } as never);
    void store.load();
    store.apply({ type: 'resync' });
    await vi.waitFor(() => expect(store.byId('1')?.status.state).toBe('ready'));
    answer({ agents: [agent('1', 'asleep', 1)], limit: 1 });
    await new Promise((resolve) => setTimeout(resolve));
    expect(store.byId('1')?.status.state).toBe('ready');
    call.mockRestore();
  });

  it('forgets old delivered prompts but no open one', () => {
    let list: readonly Prompt[] = [prompt('1', 'queued')];
    for (let id = 2; id < 300; id++) list = insertPrompt(list, prompt(String(id), 'delivered'));
    expect(list).toHaveLength(101);
    expect(list[0]?.state).toBe('queued');
  });

  it('loads lists anew after a resync', () => {
    const store = useAgentsStore();
    const call = vi.spyOn(api, 'call').mockResolvedValue({ agents: [], limit: 1 } as never);
    call.mockClear();
    store.apply({ type: 'resync' });
    expect(call).toHaveBeenCalledWith('listAgents');
    call.mockRestore();
  });
});
