import type { BackgroundJob } from '../db/background-jobs.ts';
import { deleteOldAudit } from '../modules/audit/repository.ts';
import { deleteEndedRows, endExpiredSessions } from '../modules/auth/repository.ts';
import { deleteOldEvents } from '../modules/events/repository.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** How long a browser may be away and still get every event instead of loading all anew. */
const EVENT_RETENTION_MS = HOUR_MS;
/** Ended browser sessions and links stay visible to whoever looks into an incident. */
const ENDED_RETENTION_MS = 30 * DAY_MS;
/** A year and a month, so that a yearly look into the log misses nothing. */
const AUDIT_RETENTION_MS = 400 * DAY_MS;
const FAILED_SIGN_INS_RETENTION_MS = 30 * DAY_MS;

export const accountJobs: readonly BackgroundJob[] = [
  {
    name: 'outbox',
    intervalMs: 5 * MINUTE_MS,
    run: (trx) => deleteOldEvents(trx, new Date(Date.now() - EVENT_RETENTION_MS)),
  },
  {
    name: 'auth',
    intervalMs: HOUR_MS,
    run: async (trx) => {
      await endExpiredSessions(trx);
      await deleteEndedRows(trx, new Date(Date.now() - ENDED_RETENTION_MS));
    },
  },
  {
    name: 'audit',
    intervalMs: HOUR_MS,
    run: (trx) =>
      deleteOldAudit(trx, {
        all: new Date(Date.now() - AUDIT_RETENTION_MS),
        failedSignIns: new Date(Date.now() - FAILED_SIGN_INS_RETENTION_MS),
      }),
  },
];
