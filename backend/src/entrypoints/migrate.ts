import { homedir } from 'node:os';
import process from 'node:process';
import { createLogger } from '../app/logging.ts';
import { DatabaseNotReady, waitForDatabase } from '../cluster/schema-wait.ts';
import { ConfigError, loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { migrate, MigrationError, NewerSchemaError } from '../db/migrate.ts';

/**
 * Brings the database of SAC_DATABASE_URL to the newest schema, waiting for it when it is just being started. Exit code 1
 * when the schema is not there afterwards. One that is ahead lacks nothing: a release that was rolled back runs on it, and
 * has to take changed values.
 */
const main = async (): Promise<void> => {
  const installation = findInstallation();
  const context = { version: installation.version, homeDir: homedir(), interfaceAddresses: [] };
  const { databaseUrl, databaseWaitMs, logLevel } = loadConfig(process.env, { ...context, process: 'migrate' });
  const url = databaseUrl ?? '';
  const logger = createLogger({ level: logLevel, name: 'migrate' });
  await waitForDatabase({ url, migrationsDir: null, waitMs: databaseWaitMs, logger });
  const applied = await migrate({
    url,
    directory: installation.migrationsDir,
    onApplied: (name) => process.stdout.write(`applied ${name}\n`),
  });
  if (applied.length === 0) process.stdout.write('The schema is up to date.\n');
};

try {
  await main();
} catch (error) {
  if (error instanceof NewerSchemaError) {
    process.stdout.write(`Nothing to do. ${error.message}\n`);
    process.exit(0);
  }
  const known = error instanceof ConfigError || error instanceof MigrationError || error instanceof DatabaseNotReady;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
}
