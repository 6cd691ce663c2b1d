import { defineConfig } from 'vitest/config';

/** Tests of the chart. They need helm and promtool, and no cluster. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    globalSetup: ['setup.ts'],
    testTimeout: 60_000,
  },
});
