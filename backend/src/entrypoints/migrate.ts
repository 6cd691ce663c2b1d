import { homedir } from 'node:os';
import process from 'node:process';
import { ConfigError, loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { migrate, MigrationError } from '../db/migrate.ts';

/** Brings the database of SAC_DATABASE_URL to the newest schema. Exit code 1 when it is not there afterwards. */
const main = async (): Promise<void> => {
  const installation = findInstallation();
  const config = loadConfig(process.env, { version: installation.version, homeDir: homedir(), interfaceAddresses: [] });
  if (config.databaseUrl === null) {
    throw new ConfigError([
      { variable: 'SAC_DATABASE_URL', problem: 'is missing; for example postgres://user:password@host:5432/sac' },
    ]);
  }
  const applied = await migrate({
    url: config.databaseUrl,
    directory: installation.migrationsDir,
    onApplied: (name) => process.stdout.write(`applied ${name}\n`),
  });
  if (applied.length === 0) process.stdout.write('The schema is up to date.\n');
};

try {
  await main();
} catch (error) {
  const known = error instanceof ConfigError || error instanceof MigrationError;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
}
