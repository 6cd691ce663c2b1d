import type { Session } from '@sac/contracts';
import { useEventListener } from '@vueuse/core';
import { api } from '../../api/client.ts';

/** The server counts in minutes. */
export const PRESENCE_INTERVAL_MS = 60_000;

/**
 * Tells the server that a person uses this page: something was typed, touched or moved while the page was seen. A page
 * that is only open says nothing, and so keeps no agent awake.
 */
export const usePresence = (session: () => Session | null): void => {
  let toldAtMs = -Infinity;

  const used = (): void => {
    const current = session();
    if (current === null || document.visibilityState !== 'visible') return;
    if (performance.now() - toldAtMs < PRESENCE_INTERVAL_MS) return;
    toldAtMs = performance.now();
    // The next sign of life tells it again.
    void api.call('notePresence', { params: { sessionId: current.id }, body: {} }).catch(() => undefined);
  };

  // Before anything else takes them: a terminal keeps its keys to itself.
  const options = { capture: true, passive: true };
  useEventListener(window, ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart'], used, options);
};
