import type { Agent } from '@sac/contracts';
import { useEventListener, useLocalStorage } from '@vueuse/core';
import { ref, watch } from 'vue';

const maxRemembered = 500;

/** Agents that finished or asked something while nobody looked at them in this browser. */
export const useUnread = () => {
  const unread = useLocalStorage<string[]>('sac.unread', []);
  const viewing = ref<readonly string[]>([]);

  const remove = (agentId: string): void => {
    if (unread.value.includes(agentId)) unread.value = unread.value.filter((id) => id !== agentId);
  };
  /** Somebody looks at this page: what is on it is read, also when it, or another tab, marked it before. */
  const look = (): void => {
    if (document.visibilityState === 'visible') viewing.value.forEach(remove);
  };
  watch(unread, look);
  useEventListener(document, 'visibilitychange', look);

  const onChange = (before: Agent | undefined, after: Agent): void => {
    if (before?.status.state !== 'working' || after.status.state === 'working') return;
    const seen = viewing.value.includes(after.id) && document.visibilityState === 'visible';
    if (!seen && !unread.value.includes(after.id)) unread.value = [...unread.value, after.id].slice(-maxRemembered);
  };
  return {
    onChange,
    isUnread: (agentId: string): boolean => unread.value.includes(agentId),
    /** Says which agents are on screen. */
    setViewing: (agentIds: readonly string[]): void => {
      viewing.value = agentIds;
      agentIds.forEach(remove);
    },
  };
};
