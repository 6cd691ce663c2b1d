import { defineConfig } from '@playwright/test';
import { launchOptions } from './support/browser.ts';

/**
 * One installation in a real cluster, from its installation to its removal; run by `make test-cluster`. What follows a failed
 * installation is left out, the removal never.
 */
export default defineConfig({
  testDir: 'cluster',
  outputDir: 'test-results/cluster',
  workers: 1,
  fullyParallel: false,
  forbidOnly: process.env['CI'] !== undefined,
  timeout: 300_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  projects: [
    { name: 'install', testMatch: 'install.spec.ts', timeout: 600_000, teardown: 'uninstall' },
    { name: 'use', testMatch: 'use-*.spec.ts', dependencies: ['install'] },
    { name: 'upgrade', testMatch: 'upgrade.spec.ts', dependencies: ['install'], timeout: 600_000 },
    { name: 'uninstall', testMatch: 'uninstall.spec.ts', timeout: 900_000 },
  ],
  use: {
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    actionTimeout: 15_000,
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions,
  },
});
