import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { startTestPostgres } from '../../test/postgres.ts';
import { createDatabase, type Database } from './database.ts';
import { isUniqueViolation, mapDatabaseError } from './errors.ts';
import { createNotificationHub } from './listen.ts';
import { inTransaction } from './transaction.ts';

const logger = pino({ level: 'silent' });
const caught = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (err: unknown) => err,
  );

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const newUser = (username: string) => ({ username, display_name: username, role: 'user' as const, email: null });

describe('values', () => {
  it('come as the table types say: int8 as text, time as Date', async () => {
    const row = await database.db.insertInto('users').values(newUser('typed')).returningAll().executeTakeFirstOrThrow();
    expect(row.id).toMatch(/^\d+$/);
    expect(row.created_at).toBeInstanceOf(Date);
    const { rows } = await sql<{ big: string }>`select 9007199254740993::int8 as big`.execute(database.db);
    expect(rows[0]?.big).toBe('9007199254740993');
  });
});

describe('errors', () => {
  it('names the constraint that was violated', async () => {
    await database.db.insertInto('users').values(newUser('twice')).execute();
    const err = await caught(database.db.insertInto('users').values(newUser('TWICE')).execute());
    expect(isUniqueViolation(err, 'users_username_key')).toBe(true);
    expect(isUniqueViolation(err, 'users_email_key')).toBe(false);
    expect(mapDatabaseError(err)).toBeNull();
  });

  it.each([
    ["do $$ begin raise exception 'disk full' using errcode = '53100'; end $$", 'storage_full'],
    ["do $$ begin raise exception 'going down' using errcode = '57P01'; end $$", 'database_unavailable'],
    ["do $$ begin raise exception 'deadlock' using errcode = '40P01'; end $$", 'unavailable'],
    ['select 9223372036854775808::text::int8', 'invalid_request'],
    ['select nonsense', null],
  ] as const)('maps the failure of %s', async (statement, code) => {
    expect(mapDatabaseError(await caught(sql.raw(statement).execute(database.db)))?.code ?? null).toBe(code);
  });

  it('gives up on a statement that takes too long', async () => {
    const err = await caught(
      inTransaction(database.db, async (trx) => {
        await sql`set local statement_timeout = 50`.execute(trx);
        await sql`select pg_sleep(5)`.execute(trx);
      }),
    );
    expect(mapDatabaseError(err)?.code).toBe('unavailable');
  });
});

describe('transactions', () => {
  it('are rolled back as a whole', async () => {
    const err = await caught(
      inTransaction(database.db, async (trx) => {
        await trx.insertInto('users').values(newUser('halfway')).execute();
        throw new Error('no');
      }),
    );
    expect(err).toBeInstanceOf(Error);
    expect(await database.db.selectFrom('users').selectAll().where('username', '=', 'halfway').execute()).toEqual([]);
  });

  it('run again when PostgreSQL ended them as a deadlock, but not for ever', async () => {
    let runs = 0;
    const work = (failures: number) =>
      inTransaction(database.db, async (trx) => {
        runs += 1;
        if (runs <= failures)
          await sql.raw("do $$ begin raise exception 'x' using errcode = '40P01'; end $$").execute(trx);
        return runs;
      });
    expect(await work(2)).toBe(3);
    runs = 0;
    expect(mapDatabaseError(await caught(work(9)))?.code).toBe('unavailable');
    expect(runs).toBe(3);
  });
});

const until = async (what: string, isTrue: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
};

const answers = async (db: Database): Promise<boolean> => (await caught(sql`select 1`.execute(db))) === null;

describe('a killed PostgreSQL', () => {
  it('fails the queries of that moment, and everything works again when it is back', async () => {
    const server = await startTestPostgres();
    const url = server.urlOf('postgres');
    const db = createDatabase({ url, logger });
    const hub = createNotificationHub({ url, logger });
    try {
      const seen: (string | null)[] = [];
      hub.subscribe('test_channel', (payload) => seen.push(payload));
      await until('listening', () => seen.includes(null));
      await sql`select pg_notify('test_channel', 'before')`.execute(db);
      await until('notification', () => seen.includes('before'));

      // Several idle connections, one query under way.
      await Promise.all(Array.from({ length: 5 }, () => sql`select pg_sleep(0.05)`.execute(db)));
      const underWay = caught(sql`select pg_sleep(10)`.execute(db));
      await sleep(100);
      await server.kill();
      expect(mapDatabaseError(await underWay)).toMatchObject({
        code: 'database_unavailable',
        message: expect.stringContaining('look whether your last change was made') as string,
      });
      expect(mapDatabaseError(await caught(sql`select 1`.execute(db)))?.code).toBe('database_unavailable');

      await server.start();
      await until('database', () => answers(db));
      await until('word of a gap', () => seen.filter((payload) => payload === null).length === 2);
      await sql`select pg_notify('test_channel', 'after')`.execute(db);
      await until('notification after the gap', () => seen.includes('after'));
    } finally {
      await hub.close();
      await db.destroy();
      await server.remove();
    }
  });
});

describe('notifications', () => {
  it('reach every handler of the channel, and none that has left', async () => {
    const hub = createNotificationHub({ url: database.url, logger });
    try {
      const first: (string | null)[] = [];
      const second: (string | null)[] = [];
      const leave = hub.subscribe('shared', (payload) => first.push(payload));
      hub.subscribe('shared', (payload) => second.push(payload));
      hub.subscribe('other', () => undefined);
      await until('listening', () => second.includes(null));
      await sql`select pg_notify('shared', 'one')`.execute(database.db);
      await until('first', () => first.includes('one') && second.includes('one'));
      leave();
      await sql`select pg_notify('shared', 'two')`.execute(database.db);
      await until('second', () => second.includes('two'));
      expect(first).not.toContain('two');
    } finally {
      await hub.close();
    }
  });

  it('keeps other handlers going when one throws', async () => {
    const hub = createNotificationHub({ url: database.url, logger });
    try {
      const seen: (string | null)[] = [];
      hub.subscribe('thrower', () => {
        throw new Error('handler fault');
      });
      hub.subscribe('thrower', (payload) => seen.push(payload));
      await until('listening', () => seen.includes(null));
    } finally {
      await hub.close();
    }
  });
});
