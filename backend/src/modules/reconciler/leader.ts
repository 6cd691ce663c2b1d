import { sql, type Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { Tables } from '../../db/tables.ts';

/** Runs background work in exactly one process of an installation. */
export interface Leadership {
  isLeader(): boolean;
  /** Gives the lead back; resolves when that is done. */
  close(): Promise<void>;
}

export interface LeadershipOptions {
  readonly db: Database;
  readonly logger: Logger;
  readonly onChange: (leader: boolean) => void;
  readonly retryMs?: number;
  readonly probeMs?: number;
}

/** 'SAC' and a number; nothing else in the database uses advisory locks of one 64-bit key with this prefix. */
const LOCK_KEY = 0x53_41_43_00_01;
const RETRY_MS = 2_000;
const PROBE_MS = 5_000;

/**
 * Ends the connection that holds the lock. Back in the pool, still connected, it would keep the lock, and nobody could
 * lead until the pool lets go of it. Named by what it holds: its process id may belong to another one by now.
 */
const endHolder = async (db: Database, pid: number): Promise<void> => {
  await sql`
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and pid = ${pid} and objsubid = 1
      and ((classid::bigint << 32) | objid::bigint) = ${LOCK_KEY}::bigint
  `.execute(db);
};

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });

/**
 * Holds a session-level advisory lock on a connection of its own. When the connection dies the lock is gone,
 * and so is the lead: whoever gets the lock next continues from what is in the database.
 */
export const createLeadership = (options: LeadershipOptions): Leadership => {
  const { db, logger, onChange, retryMs = RETRY_MS, probeMs = PROBE_MS } = options;
  const abort = new AbortController();
  let leader = false;

  const set = (value: boolean): void => {
    if (leader === value) return;
    leader = value;
    onChange(value);
  };

  const holdWhileConnected = async (connection: Kysely<Tables>): Promise<void> => {
    const { rows } = await sql<{ locked: boolean; pid: number }>`
      select pg_try_advisory_lock(${LOCK_KEY}::bigint) as locked, pg_backend_pid() as pid`.execute(connection);
    const [row] = rows;
    if (!row?.locked) return;
    try {
      set(true);
      while (!abort.signal.aborted) {
        await sleep(probeMs, abort.signal);
        await sql`select 1`.execute(connection);
      }
      await sql`select pg_advisory_unlock(${LOCK_KEY}::bigint)`.execute(connection);
    } catch (err) {
      await endHolder(db, row.pid).catch((cause: unknown) =>
        logger.warn({ err: cause }, 'the connection that held the lead could not be ended'),
      );
      throw err;
    } finally {
      set(false);
    }
  };

  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      try {
        await db.connection().execute(holdWhileConnected);
      } catch (err) {
        logger.warn({ err }, 'lead of background work lost or not reached; trying again');
      }
      await sleep(retryMs, abort.signal);
    }
  };

  const ended = run();
  return {
    isLeader: () => leader,
    close: async () => {
      abort.abort();
      await ended;
    },
  };
};
