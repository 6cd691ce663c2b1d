import { percentile } from '../figures.ts';

/** Several readings of one thing. */
export const medianOf = (values: readonly number[]): number => percentile(values, 50);

/** `12.3 [11.0-14.9]`: median and range. */
export const spread = (values: readonly number[], digits = 1): string =>
  `${medianOf(values).toFixed(digits)} [${Math.min(...values).toFixed(digits)}-${Math.max(...values).toFixed(digits)}]`;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
