import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter, type RouteLocationRaw } from 'vue-router';
import { useUiStore } from './ui.ts';

export interface Beside {
  /** Agents the address names, left one first; one while the window has no room for two. */
  readonly shown: ComputedRef<readonly string[]>;
  /** There is room, and an agent is on screen that this one can stand beside. */
  readonly mayOpen: (agentId: string) => boolean;
  readonly open: (agentId: string) => void;
  /** The other one stays. */
  readonly close: (agentId: string) => void;
  readonly swap: () => void;
  /** Where a plain click on an agent leads: to the left place, what stands beside it stays. */
  readonly placeOf: (agentId: string) => RouteLocationRaw;
}

const place = (left: string, right?: string): RouteLocationRaw => ({
  name: 'agent',
  params: { agentId: left },
  query: right === undefined ? {} : { beside: right },
});

/** Two agents side by side. The address holds them, so that a reload or a copied link shows the same. */
export const useBeside = (): Beside => {
  const route = useRoute();
  const router = useRouter();
  const ui = useUiStore();

  const shown = computed<readonly string[]>(() => {
    const { agentId } = route.params;
    const { beside } = route.query;
    if (route.name !== 'agent' || typeof agentId !== 'string') return [];
    const fits = !ui.narrow && typeof beside === 'string' && /^\d{1,19}$/.test(beside) && beside !== agentId;
    return fits ? [agentId, beside] : [agentId];
  });
  const go = (left: string | undefined, right?: string): void => {
    if (left !== undefined) void router.push(place(left, right));
  };
  return {
    shown,
    mayOpen: (agentId) => !ui.narrow && shown.value.length > 0 && !shown.value.includes(agentId),
    open: (agentId) => go(shown.value[0], agentId),
    close: (agentId) => go(shown.value.find((other) => other !== agentId)),
    swap: () => go(shown.value[1], shown.value[0]),
    placeOf: (agentId) => {
      const [left, right] = shown.value;
      if (left !== undefined && shown.value.includes(agentId)) return place(left, right);
      return place(agentId, right);
    },
  };
};
