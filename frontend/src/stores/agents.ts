import type { Agent, AgentNews, ServerEvent, Terminal } from '@sac/contracts';
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import { api } from '../api/client.ts';
import { agentGroups } from './agent-order.ts';
import { usePromptLists } from './prompt-lists.ts';
import { useUnread } from './unread.ts';
import { useLoad } from './use-load.ts';

/** Own agents, kept live by the event stream, with their terminals and prompts. */
export const useAgentsStore = defineStore('agents', () => {
  const byIdMap = shallowRef<ReadonlyMap<string, Agent>>(new Map());
  const limit = ref<number | null>(null);
  const loaded = ref(false);
  const terminals = shallowRef<ReadonlyMap<string, readonly Terminal[]>>(new Map());
  /** Times that news were missed for good; lists kept elsewhere are to be asked for anew. */
  const resyncs = ref(0);
  const prompts = usePromptLists();
  const unread = useUnread();

  /** Counts events, so that a list that was asked for earlier never overwrites what came since. */
  let eventCount = 0;
  const changedAt = new Map<string, number>();

  const groups = computed(() => agentGroups([...byIdMap.value.values()]));
  const agents = computed<readonly Agent[]>(() => groups.value.flatMap((group) => group.agents));

  const put = (agent: Agent): void => {
    const before = byIdMap.value.get(agent.id);
    // Answers and events overtake each other on the way; what the server saw earlier never wins.
    if (before && (before.generation > agent.generation || before.revision > agent.revision)) return;
    changedAt.set(agent.id, ++eventCount);
    byIdMap.value = new Map(byIdMap.value).set(agent.id, agent);
    unread.onChange(before, agent);
  };

  /**
   * News leave a large configuration out. What is known of it holds unless it was changed since; then it is asked for,
   * and until it is there `updatedAt` goes on saying which one this is.
   */
  const putNews = ({ instructions, environment, ...news }: AgentNews): void => {
    if (instructions !== undefined && environment !== undefined) return put({ ...news, instructions, environment });
    const before = byIdMap.value.get(news.id);
    if (before) put({ ...before, ...news, updatedAt: before.updatedAt });
    if (before?.updatedAt === news.updatedAt) return;
    // What fails now is asked for again with the next news.
    api.call('getAgent', { params: { agentId: news.id } }).then(put, () => undefined);
  };

  const remove = (agentId: string): void => {
    changedAt.set(agentId, ++eventCount);
    const rest = new Map(byIdMap.value);
    rest.delete(agentId);
    byIdMap.value = rest;
  };

  const merge = (list: readonly Agent[], askedAt: number): void => {
    const fresh = (agentId: string) => (changedAt.get(agentId) ?? 0) > askedAt;
    const next = new Map<string, Agent>();
    for (const agent of list) {
      const current = byIdMap.value.get(agent.id);
      if (!fresh(agent.id)) next.set(agent.id, agent);
      else if (current) next.set(agent.id, current);
    }
    for (const [agentId, agent] of byIdMap.value) if (fresh(agentId) && !next.has(agentId)) next.set(agentId, agent);
    byIdMap.value = next;
  };

  const { loading, error, load, forget } = useLoad(
    async () => ({ askedAt: eventCount, answer: await api.call('listAgents') }),
    ({ askedAt, answer }) => {
      merge(answer.agents, askedAt);
      limit.value = answer.limit;
      loaded.value = true;
    },
  );

  const setTerminals = (agentId: string, list: readonly Terminal[]): void => {
    terminals.value = new Map(terminals.value).set(agentId, list);
  };

  const resync = async (): Promise<void> => {
    resyncs.value += 1;
    // A list under way may have been made before the news that were missed.
    forget();
    await Promise.all([load(), prompts.reload()]);
  };

  const apply = (event: ServerEvent): void => {
    if (event.type === 'agent') putNews(event.agent);
    else if (event.type === 'agent-deleted') remove(event.agentId);
    else if (event.type === 'terminals') setTerminals(event.agentId, event.terminals);
    else if (event.type === 'prompt') prompts.put(event.prompt);
    else if (event.type === 'prompt-places') prompts.place(event.agentId, event.places);
    else if (event.type === 'resync') void resync();
  };

  const reset = (): void => {
    byIdMap.value = new Map();
    terminals.value = new Map();
    prompts.reset();
    changedAt.clear();
    loaded.value = false;
    limit.value = null;
    forget();
  };

  return {
    agents,
    groups,
    limit,
    loaded,
    loading,
    error,
    byId: (agentId: string): Agent | undefined => byIdMap.value.get(agentId),
    terminalsOf: (agentId: string): readonly Terminal[] => terminals.value.get(agentId) ?? [],
    promptsOf: prompts.of,
    isUnread: unread.isUnread,
    setViewing: unread.setViewing,
    load,
    loadPrompts: prompts.load,
    setTerminals,
    put,
    putPrompt: prompts.put,
    putPromptAnswer: prompts.putAnswer,
    resyncs,
    remove,
    apply,
    reset,
  };
});
