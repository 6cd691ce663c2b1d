import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';

/** They close the node that the other files' pods need. */
const closingNodes = '**/nodes.cluster.test.ts';
const shared = {
  root: join(import.meta.dirname, '..'),
  globalSetup: ['cluster-setup.ts', 'global-setup.ts'].map((file) => join(import.meta.dirname, file)),
};

/** Tests that need a cluster: KUBECONFIG names it, SAC_TEST_AGENT_IMAGE an image of the sandbox that its nodes have. */
export default defineConfig({
  test: {
    setupFiles: [join(import.meta.dirname, '../../scripts/vitest-setup.ts')],
    // They wait for pods more than they compute; each file has its own namespace.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: 'cluster',
          include: ['{src,test}/**/*.cluster.test.ts'],
          exclude: [...configDefaults.exclude, closingNodes],
        },
      },
      { extends: true, test: { ...shared, name: 'nodes', include: [closingNodes], sequence: { groupOrder: 1 } } },
    ],
  },
});
