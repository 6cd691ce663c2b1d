/** Longest wait before each attempt, in ms. They grow late: a proxy that is started again is back within a second or two. */
const LONGEST_WAITS_MS = [250, 500, 500, 500, 750, 1_000, 1_000, 2_000, 4_000, 8_000] as const;
const LONGEST_WAIT_MS = 15_000;

/**
 * How long a client that lost its terminal waits before attempt 1, 2, …, in ms; `random`: 0 up to, not including, 1.
 * With full jitter: thousands of clients that lost the same server do not return in step.
 */
export const reconnectDelayMs = (attempt: number, random: number): number =>
  Math.round(random * (LONGEST_WAITS_MS[attempt - 1] ?? LONGEST_WAIT_MS));
