import type { Prompt } from '@sac/contracts';
import { shallowRef } from 'vue';
import { api } from '../api/client.ts';
import { insertPrompt } from './agent-order.ts';

/** Prompts per agent; a list exists once it was loaded or an event brought one. */
export const usePromptLists = () => {
  const lists = shallowRef<ReadonlyMap<string, readonly Prompt[]>>(new Map());
  const loads = new Map<string, Promise<void>>();
  /** Counts news, so that a list that was asked for earlier never overwrites, or brings back, what changed since. */
  let newsCount = 0;
  const changedAt = new Map<string, number>();

  const of = (agentId: string): readonly Prompt[] => lists.value.get(agentId) ?? [];
  const set = (agentId: string, list: readonly Prompt[]): void => {
    lists.value = new Map(lists.value).set(agentId, list);
  };
  const put = (prompt: Prompt): void => {
    changedAt.set(prompt.id, ++newsCount);
    set(prompt.agentId, insertPrompt(of(prompt.agentId), prompt));
  };
  /** Those that are not in the list come with it, when it is loaded. */
  const place = (agentId: string, places: readonly Pick<Prompt, 'id' | 'position'>[]): void => {
    for (const { id, position } of places) {
      const known = of(agentId).find((prompt) => prompt.id === id);
      if (known !== undefined) put({ ...known, position });
    }
  };
  /** The answer to a request about a prompt that stood here as `asked`; an event that came in between knows more. */
  const putAnswer = (asked: Prompt | undefined, answer: Prompt): void => {
    if (asked !== undefined && of(answer.agentId).includes(asked)) put(answer);
  };

  const fetchList = async (agentId: string, isCurrent: () => boolean): Promise<void> => {
    const askedAt = newsCount;
    const answer = await api.call('listPrompts', { params: { agentId } });
    if (!isCurrent()) return;
    const isNews = ({ id }: Prompt): boolean => (changedAt.get(id) ?? 0) > askedAt;
    let list: readonly Prompt[] = of(agentId).filter(isNews);
    for (const prompt of answer.prompts) if (!isNews(prompt)) list = insertPrompt(list, prompt);
    set(agentId, list);
  };
  /** Loads the open and newest prompts of an agent; what is not among them any more goes. Rejects with ApiError. */
  const load = (agentId: string): Promise<void> => {
    const running = loads.get(agentId);
    if (running) return running;
    const mine: Promise<void> = fetchList(agentId, () => loads.get(agentId) === mine).finally(() => {
      if (loads.get(agentId) === mine) loads.delete(agentId);
    });
    loads.set(agentId, mine);
    return mine;
  };

  const reset = (): void => {
    lists.value = new Map();
    loads.clear();
    changedAt.clear();
  };
  /** Loads every known list anew; one that fails stays as it is until the next event or load. */
  const reload = async (): Promise<void> => {
    // What was asked for earlier may have been answered before the news that were missed.
    loads.clear();
    await Promise.allSettled([...lists.value.keys()].map(load));
  };

  return { of, put, place, putAnswer, load, reload, reset };
};
