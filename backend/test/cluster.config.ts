import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests that need a cluster: KUBECONFIG names it, SAC_TEST_AGENT_IMAGE an image of the sandbox that its nodes have. */
export default defineConfig({
  test: {
    name: 'cluster',
    root: join(import.meta.dirname, '..'),
    include: ['{src,test}/**/*.cluster.test.ts'],
    globalSetup: ['cluster-setup.ts', 'global-setup.ts'].map((file) => join(import.meta.dirname, file)),
    setupFiles: [join(import.meta.dirname, '../../scripts/vitest-setup.ts')],
    // They wait for pods more than they compute; each file has its own namespace.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
