import type { Prompt } from '@sac/contracts';
import { shallowRef } from 'vue';
import { api } from '../api/client.ts';
import { insertPrompt } from './agent-order.ts';

/** Prompts per agent; a list exists once it was loaded or an event brought one. */
export const usePromptLists = () => {
  const lists = shallowRef<ReadonlyMap<string, readonly Prompt[]>>(new Map());
  const loads = new Map<string, Promise<void>>();

  const put = (prompt: Prompt): void => {
    const list = insertPrompt(lists.value.get(prompt.agentId) ?? [], prompt);
    lists.value = new Map(lists.value).set(prompt.agentId, list);
  };

  const fetchList = async (agentId: string): Promise<void> => {
    try {
      const answer = await api.call('listPrompts', { params: { agentId } });
      for (const prompt of answer.prompts) put(prompt);
    } finally {
      loads.delete(agentId);
    }
  };
  /** Loads the open and newest prompts of an agent. Rejects with ApiError. */
  const load = (agentId: string): Promise<void> => {
    const running = loads.get(agentId) ?? fetchList(agentId);
    loads.set(agentId, running);
    return running;
  };

  const reset = (): void => {
    lists.value = new Map();
  };
  /** Loads every known list anew; one that fails stays empty until the next event or load. */
  const reload = async (): Promise<void> => {
    const known = [...lists.value.keys()];
    reset();
    await Promise.allSettled(known.map(load));
  };

  return { of: (agentId: string): readonly Prompt[] => lists.value.get(agentId) ?? [], put, load, reload, reset };
};
