/** Longest wait before each attempt, in ms. They grow late: a proxy that is started again is back within seconds. */
const LONGEST_WAITS_MS = [250, 500, 500, 500, 500, 500, 500, 750, 1_000, 2_000, 4_000, 8_000] as const;
const LONGEST_WAIT_MS = 15_000;

/**
 * How long a client that lost its terminal waits before attempt 1, 2, …, in ms; `random`: 0 up to, not including, 1.
 * The first is any part of the longest wait, so that thousands that lost the same server do not return in step. The others are
 * the upper half: nobody hurries through the short waits into the long ones (docs/adr/0021).
 */
export const reconnectDelayMs = (attempt: number, random: number): number => {
  const longestMs = LONGEST_WAITS_MS[attempt - 1] ?? LONGEST_WAIT_MS;
  const shortestMs = attempt === 1 ? 0 : longestMs / 2;
  return Math.round(shortestMs + random * (longestMs - shortestMs));
};
