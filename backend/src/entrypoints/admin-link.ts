import { homedir } from 'node:os';
import process from 'node:process';
import { createLogger } from '../app/logging.ts';
import { loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { createDatabase } from '../db/database.ts';
import { createAdminLink } from '../modules/auth/links.ts';

/** Prints a link that creates an admin, once. Run in a pod of api-gateway, with its settings; who can do that owns the installation. */
const main = async (): Promise<void> => {
  const config = loadConfig(process.env, {
    version: findInstallation().version,
    homeDir: homedir(),
    interfaceAddresses: [],
    process: 'api-gateway',
  });
  const logger = createLogger({ level: 'warn', name: 'admin-link' });
  const db = createDatabase({ url: config.databaseUrl ?? '', logger, maxConnections: 1 });
  try {
    const { secret, expiresAt } = await createAdminLink(db);
    process.stdout.write(`${config.publicOrigins[0] ?? ''}/welcome#${secret}\n`);
    process.stderr.write(`It works once, until ${expiresAt.toISOString()}.\n`);
  } finally {
    await db.destroy();
  }
};

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
