const quick = process.env['SAC_BENCH_QUICK'] === '1';

/** Sizes of the measurement; the short ones only show that it works. */
export const settings = {
  only: process.env['SAC_BENCH_ONLY']?.split(',') ?? null,
  seed: Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31)),
  transferBytes: quick ? 40_000_000 : 200_000_000,
  transferRuns: quick ? 1 : 5,
  inputBytes: quick ? 50_000_000 : 1_000_000_000,
  lineBytes: 100_000_000,
  stallSeconds: quick ? 6 : 60,
  floodSeconds: quick ? 6 : 60,
  interrupts: quick ? 3 : 20,
  cuts: Number(process.env['SAC_TEST_CUTS'] ?? (quick ? 100 : 1_000)),
  awaySeconds: quick ? 3 : 30,
  killedTerminals: quick ? 32 : 200,
  kills: quick ? 1 : 5,
} as const;
