import vue from '@vitejs/plugin-vue';
import { configDefaults, defineConfig } from 'vitest/config';

const integrationTimeoutMs = 60_000;

export default defineConfig({
  test: {
    // Two cores are the smallest machine this has to pass on; the tests start real servers and terminals.
    maxWorkers: 2,
    testTimeout: integrationTimeoutMs,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    setupFiles: [`${import.meta.dirname}/scripts/vitest-setup.ts`],
    projects: [
      { extends: true, test: { name: 'contracts', root: './contracts', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'backend',
          root: './backend',
          include: ['{src,test}/**/*.test.ts'],
          // They need a cluster: backend/test/cluster.config.ts.
          exclude: [...configDefaults.exclude, '**/*.cluster.test.ts'],
          globalSetup: [`${import.meta.dirname}/backend/test/global-setup.ts`],
        },
      },
      { extends: true, test: { name: 'sandbox', root: './sandbox', include: ['src/**/*.test.ts'] } },
      {
        extends: true,
        plugins: [vue()],
        test: { name: 'frontend', root: './frontend', include: ['src/**/*.test.ts'], environment: 'happy-dom' },
      },
      { extends: true, test: { name: 'scripts', root: './scripts', include: ['**/*.test.ts'] } },
    ],
  },
});
