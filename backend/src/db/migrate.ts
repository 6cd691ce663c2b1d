import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { connectionSettings } from './database.ts';

export interface Migration {
  readonly version: number;
  /** File name, e.g. `0001_accounts.sql`. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. */
  readonly checksum: string;
}

export interface MigrateOptions {
  readonly url: string;
  /** Folder of `0001_name.sql` files. */
  readonly directory: string;
  readonly onApplied?: (name: string) => void;
}

/** Something an operator has to decide about; the message says what. */
export class MigrationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MigrationError';
  }
}

/** The database is ahead of this version of the program. */
export class NewerSchemaError extends MigrationError {
  override readonly name = 'NewerSchemaError';
}

/** Any constant: it names "the migrations of this product" among the advisory locks of one database. */
const LOCK_ID = 726_473_001;
/** Another process may be running a long migration; waiting for ever would hide that it hangs. */
const LOCK_TIMEOUT_MS = 300_000;
const FILE_PATTERN = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** Reads and checks the folder: numbered from 0001 without gaps, each number once. */
export const readMigrations = async (directory: string): Promise<Migration[]> => {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const migrations: Migration[] = [];
  for (const name of names) {
    const number = FILE_PATTERN.exec(name)?.[1];
    if (number === undefined) throw new MigrationError(`${name} is not named like 0001_what_it_does.sql.`);
    const expected = migrations.length + 1;
    if (Number(number) !== expected) {
      throw new MigrationError(`${name} breaks the numbering: ${String(expected).padStart(4, '0')} is expected next.`);
    }
    const sql = await readFile(join(directory, name), 'utf8');
    migrations.push({ version: expected, name, sql, checksum: createHash('sha256').update(sql).digest('hex') });
  }
  if (migrations.length === 0) throw new MigrationError(`There are no migrations in ${directory}.`);
  return migrations;
};

interface AppliedRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

const readApplied = async (client: pg.Client): Promise<AppliedRow[]> => {
  await client.query(`
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version    integer PRIMARY KEY,
      name       text NOT NULL,
      checksum   text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
  const { rows } = await client.query<AppliedRow>(
    'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
  );
  return rows;
};

const checkHistory = (applied: readonly AppliedRow[], migrations: readonly Migration[]): void => {
  for (const [index, row] of applied.entries()) {
    const migration = migrations[index];
    if (migration === undefined) {
      throw new NewerSchemaError(
        `The database was last used by a newer version of this program (it has ${row.name}, this version ends at ` +
          `${migrations.at(-1)?.name ?? 'nothing'}). Start that version or a later one; there is no way back.`,
      );
    }
    if (row.version !== migration.version || row.checksum !== migration.checksum) {
      throw new MigrationError(
        `${migration.name} is not the file that was applied to this database (as ${row.name}). ` +
          'A migration never changes once released: restore the file, and put the change into a new one.',
      );
    }
  }
};

/** PostgreSQL counts characters from the start of the text it was sent; people look for lines. */
const lineOf = (sql: string, error: unknown): string => {
  const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN;
  return Number.isInteger(position) ? ` at line ${sql.slice(0, position).split('\n').length}` : '';
};

const applyOne = async (client: pg.Client, migration: Migration): Promise<void> => {
  try {
    await client.query('BEGIN');
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
      migration.version,
      migration.name,
      migration.checksum,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    // The connection may be what failed; then the server rolls back by itself.
    await client.query('ROLLBACK').catch(() => undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(
      `${migration.name} failed${lineOf(migration.sql, error)}: ${reason}. Nothing of it was kept; earlier migrations stay.`,
      { cause: error },
    );
  }
};

/**
 * Names of the files that were not applied yet; a database that is ahead lacks nothing: old and new version of the
 * program run side by side during an upgrade. Changes nothing.
 */
export const missingMigrations = async (client: pg.Client, directory: string): Promise<string[]> => {
  const migrations = await readMigrations(directory);
  const { rows } = await client.query<{ there: boolean }>(
    "SELECT to_regclass('schema_migrations') IS NOT NULL AS there",
  );
  if (rows[0]?.there !== true) return migrations.map(({ name }) => name);
  const applied = await client.query<{ version: number }>('SELECT version FROM schema_migrations');
  const versions = new Set(applied.rows.map(({ version }) => version));
  return migrations.filter(({ version }) => !versions.has(version)).map(({ name }) => name);
};

/**
 * Brings a database to the newest schema, one transaction per file. Safe to run in several processes at once: an
 * advisory lock lets one work while the others wait. Throws `MigrationError`; returns the names it applied.
 */
export const migrate = async (options: MigrateOptions): Promise<string[]> => {
  const migrations = await readMigrations(options.directory);
  const client = new pg.Client(connectionSettings({ url: options.url, applicationName: 'sac migrate' }));
  // A connection that dies while idle would otherwise end the process; the next query reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_ID]);
    const applied = await readApplied(client);
    checkHistory(applied, migrations);
    const missing = migrations.slice(applied.length);
    for (const migration of missing) {
      await applyOne(client, migration);
      options.onApplied?.(migration.name);
    }
    return missing.map((migration) => migration.name);
  } finally {
    await client.end();
  }
};
