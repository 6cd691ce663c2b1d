export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after this many failures in a row, in milliseconds. With full jitter above half of the first wait: what
 * many lost at the same moment they do not ask for at the same moment.
 */
export const backoffMs = ({ firstMs, maxMs }: Backoff, failures: number): number =>
  firstMs / 2 + Math.random() * Math.min(maxMs, firstMs * 2 ** Math.min(failures, 20));
