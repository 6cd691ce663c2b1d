import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { DatabaseOrTransaction, Database } from './database.ts';

export interface BackgroundJob {
  readonly name: string;
  readonly intervalMs: number;
  /** SQL only: it runs inside the transaction that holds the lock. */
  readonly run: (trx: DatabaseOrTransaction) => Promise<void>;
}

export interface BackgroundJobs {
  close(): Promise<void>;
}

/** Some lateness, so that replicas that started together do not always meet. */
const jitter = (intervalMs: number): number => intervalMs * (0.9 + Math.random() * 0.2);

/** Repeats jobs until closed. Of all replicas one runs a job at a time: an advisory lock decides. */
export const startBackgroundJobs = (
  deps: { readonly db: Database; readonly logger: Logger },
  jobs: readonly BackgroundJob[],
): BackgroundJobs => {
  const stopping = new AbortController();

  const runOnce = (job: BackgroundJob): Promise<void> =>
    deps.db.transaction().execute(async (trx) => {
      const key = `sac:job:${job.name}`;
      const { rows } = await sql<{
        locked: boolean;
      }>`select pg_try_advisory_xact_lock(hashtextextended(${key}, 0)) as locked`.execute(trx);
      if (rows[0]?.locked === true) await job.run(trx);
    });

  const repeat = async (job: BackgroundJob): Promise<void> => {
    while (!stopping.signal.aborted) {
      await sleep(jitter(job.intervalMs), undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      await runOnce(job).catch((err: unknown) =>
        deps.logger.warn({ err, job: job.name }, 'background job failed; it runs again later'),
      );
    }
  };

  const running = jobs.map(repeat);
  return {
    async close() {
      stopping.abort();
      await Promise.all(running);
    },
  };
};
