import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** The local runtime alone, run once more as a user without rights: no database, and nothing written beside the sources. */
export default defineConfig({
  cacheDir: join(tmpdir(), 'vite'),
  test: {
    name: 'unprivileged',
    fsModuleCachePath: join(tmpdir(), 'vitest'),
    root: join(import.meta.dirname, '..'),
    include: ['src/runtimes/local/{isolation,isolation-neighbours,local-runtime}.test.ts'],
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
