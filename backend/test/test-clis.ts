import { homedir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { CliCatalog } from '../src/runtimes/local/cli-catalog.ts';

/** CLIs are some hundred megabytes each: tests share one installation, made by the product's own installer. */
export const testCliDir = process.env['SAC_TEST_CLI_DIR'] ?? join(homedir(), '.cache/sac/clis');

export const testCatalog = (): CliCatalog =>
  new CliCatalog({
    dir: testCliDir,
    nodePath: process.execPath,
    npmPath: '/usr/bin/npm',
    logger: pino({ level: 'silent' }),
    env: Object.fromEntries(
      Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  });

const CLIS = ['claude-code', 'codex', 'gemini', 'opencode'] as const;
const ATTEMPTS = 3;
const INSTALL_TIMEOUT_MS = 10 * 60_000;

/** Installs what the tests run, before any of them waits for it. A registry that fails once is asked again. */
export const ensureTestClis = async (): Promise<void> => {
  const catalog = testCatalog();
  for (const cli of CLIS) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await catalog.ensureInstalled(cli, () => undefined, AbortSignal.timeout(INSTALL_TIMEOUT_MS));
        break;
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        process.stderr.write(`${cli}: ${error instanceof Error ? error.message : String(error)}; trying again\n`);
      }
    }
  }
};
