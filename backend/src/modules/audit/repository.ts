import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';

/** Of one table and run, so that a statement ends in time however much has come together. */
export const DELETED_AT_ONCE = 50_000;

/** Whoever tries passwords fills the log with failed sign-ins: they have a time of their own. */
export const deleteOldAudit = async (
  db: DatabaseOrTransaction,
  before: { readonly all: Date; readonly failedSignIns: Date },
): Promise<void> => {
  await sql`
    delete from audit_log where id in (
      select id from audit_log where at < ${before.all} order by at limit ${DELETED_AT_ONCE}
    )
  `.execute(db);
  await sql`
    delete from audit_log where id in (
      select id from audit_log where action = 'auth.sign_in_failed' and at < ${before.failedSignIns}
       order by at limit ${DELETED_AT_ONCE}
    )
  `.execute(db);
};
