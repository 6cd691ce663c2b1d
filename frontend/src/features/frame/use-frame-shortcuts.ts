import { useEventListener } from '@vueuse/core';
import { useRoute, useRouter } from 'vue-router';
import { keyLetter } from '../../lib/key-letter.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { useUiStore } from '../../stores/ui.ts';
import { useBeside } from '../../stores/use-beside.ts';

const inTerminal = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('.xterm') !== null;
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));

/** Index of the neighbour in a ring of `count`; from nowhere, down is the first and up the last. */
export const neighbour = (index: number, count: number, step: 1 | -1): number =>
  index < 0 ? (step === 1 ? 0 : count - 1) : (index + step + count) % count;

/** The keys that work everywhere. A focused terminal keeps all of them but Ctrl+Shift+K. */
export const useFrameShortcuts = (): void => {
  const ui = useUiStore();
  const agents = useAgentsStore();
  const router = useRouter();
  const route = useRoute();
  const beside = useBeside();

  const goToNeighbour = (step: 1 | -1): void => {
    const elsewhere = beside.shown.value.slice(1);
    const list = agents.agents.filter(({ id }) => !elsewhere.includes(id));
    const current = list.findIndex((agent) => agent.id === route.params['agentId']);
    const next = list[neighbour(current, list.length, step)];
    if (next) void router.push(beside.placeOf(next.id));
  };

  /** True when the key was taken. */
  const handle = (event: KeyboardEvent): boolean => {
    const control = event.ctrlKey || event.metaKey;
    const letter = keyLetter(event);
    if (control && !event.altKey && letter === 'k' && (event.shiftKey || !inTerminal(event.target))) {
      ui.paletteOpen = !ui.paletteOpen;
      return true;
    }
    if (inTerminal(event.target) || ui.paletteOpen || ui.shortcutsOpen) return false;
    if (control && !event.shiftKey && !event.altKey && letter === 'b') {
      ui.railCollapsed = !ui.railCollapsed;
      return true;
    }
    if (event.altKey && !control && !event.shiftKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      goToNeighbour(event.key === 'ArrowDown' ? 1 : -1);
      return true;
    }
    if (event.key === '?' && !control && !event.altKey && !isTyping(event.target)) {
      ui.shortcutsOpen = true;
      return true;
    }
    return false;
  };

  useEventListener(
    window,
    'keydown',
    (event) => {
      if (!event.isComposing && handle(event)) {
        event.preventDefault();
        event.stopPropagation();
      }
    },
    { capture: true },
  );
};
