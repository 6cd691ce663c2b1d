import { onScopeDispose } from 'vue';

/** Two agents looked at within this time: somebody is leafing through the list. */
const BROWSING_MS = 1000;
const PAUSE_MS = 400;
let lastOpenedAt = Number.NEGATIVE_INFINITY;

/**
 * Runs `open` at once, but after a pause while somebody leafs through the agents with the keyboard:
 * passing by must not wake every one of them.
 */
export const useBrowsePause = (open: () => void): void => {
  const now = performance.now();
  const browsing = now - lastOpenedAt < BROWSING_MS;
  lastOpenedAt = now;
  if (!browsing) {
    open();
    return;
  }
  const timer = setTimeout(open, PAUSE_MS);
  onScopeDispose(() => clearTimeout(timer));
};
