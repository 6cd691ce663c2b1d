import { sql } from 'kysely';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../test/database.ts';
import { call, createReplicas, type Replicas } from '../../test/replicas.ts';
import { findInstallation } from '../config/installation.ts';
import { migrate } from '../db/migrate.ts';
import { waitForDatabase } from './schema-wait.ts';

let replicas: Replicas;
beforeAll(async () => {
  replicas = await createReplicas();
});
afterAll(() => replicas.close());

describe('a replica of api-gateway', () => {
  it('shows its metrics on a listener of their own, and no terminals', async () => {
    const one = await replicas.start();
    const metrics = await call(`${one.metricsUrl}/metrics`);
    expect(metrics.text).toContain('sac_proxy_streams 0');
    expect((await call(`${one.metricsUrl}/api/version`)).status).toBe(404);
    expect((await call(`${one.internalUrl}/metrics`)).status).toBe(404);
    expect((await call(`${one.publicUrl}/internal/revocations`)).status).toBe(404);
  });

  it('says that it ends before it ends', async () => {
    const one = await replicas.start();
    expect((await call(`${one.publicUrl}/health/ready`)).status).toBe(200);
    const stopped = one.stop({ announceMs: 700 });
    const ready = await call(`${one.publicUrl}/health/ready`);
    expect([ready.status, ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await call(`${one.publicUrl}/api/version`)).status).toBe(200);
    await stopped;
    await expect(call(`${one.publicUrl}/health/live`)).rejects.toThrow();
  });
});

describe('waiting for the database', () => {
  const installation = findInstallation();
  const wait = (url: string, waitMs: number) =>
    waitForDatabase({ url, migrationsDir: installation.migrationsDir, waitMs, logger: pino({ level: 'silent' }) });

  it('ends when it does not come, with the reason', async () => {
    await expect(wait('postgres://127.0.0.1:1/none', 0)).rejects.toThrow(
      /not ready within 0 s \(SAC_DATABASE_WAIT_SECONDS\): .*ECONNREFUSED/,
    );
  });

  it('lasts until the schema is there', async () => {
    const empty = await createTestDatabase('template0');
    await expect(wait(empty.url, 0)).rejects.toThrow(/its schema lacks 0001_.*run migrate/);
    const waiting = wait(empty.url, 20_000);
    await migrate({ url: empty.url, directory: installation.migrationsDir });
    await waiting;
    await empty.close();
  });

  it('does not mind a schema that is ahead: versions overlap during an upgrade', async () => {
    await sql`insert into schema_migrations (version, name, checksum) values (9999, 'later', '')`.execute(
      replicas.database.db,
    );
    await wait(replicas.database.url, 0);
    await sql`delete from schema_migrations where version = 9999`.execute(replicas.database.db);
  });
});
