const quick = process.env['SAC_BENCH_QUICK'] === '1';

/** Sizes of the measurement; the short ones only show that it works. */
export const settings = {
  only: process.env['SAC_BENCH_ONLY']?.split(',') ?? null,
  runs: Number(process.env['SAC_BENCH_RUNS'] ?? (quick ? 1 : 5)),
  transferBytes: quick ? 20_000_000 : 200_000_000,
  keys: quick ? 60 : 250,
  floods: 50,
  terminals: quick ? 300 : 1_500,
  capacitySeconds: quick ? 5 : 15,
  inputFloodBytes: quick ? 100_000_000 : 1_000_000_000,
  stallSeconds: quick ? 5 : 60,
  /** The relay has a core for itself; all else shares the other one. */
  relayCore: 1,
  restCore: 0,
} as const;
