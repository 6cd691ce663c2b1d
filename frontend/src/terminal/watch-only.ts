import { useSessionStorage } from '@vueuse/core';
import { computed } from 'vue';

/**
 * Terminals of an agent that this tab of the browser only watches. Kept over a reload: who wanted to change nothing by
 * mistake does not find out by the first key.
 */
export const useWatchOnly = (agentId: string) => {
  const stored = useSessionStorage<readonly string[]>(`sac.watchOnly.${agentId}`, [], { writeDefaults: false });
  const names = computed<readonly unknown[]>(() => (Array.isArray(stored.value) ? stored.value : []));
  return {
    has: (terminal: string): boolean => names.value.includes(terminal),
    set: (terminal: string, watching: boolean): void => {
      if (watching === names.value.includes(terminal)) return;
      const others = names.value.filter((name): name is string => typeof name === 'string' && name !== terminal);
      stored.value = watching ? [...others, terminal] : others;
    },
  };
};
