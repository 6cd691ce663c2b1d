import { defineConfig } from 'vitest/config';

/** Tests of the chart. They need helm, and no cluster. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 60_000,
  },
});
