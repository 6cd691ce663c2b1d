import type { DatabaseOrTransaction } from '../../db/database.ts';

/** Where a security-relevant act came from. */
export interface Origin {
  readonly ip: string;
  readonly requestId: string;
}

type AuditDetail = string | number | boolean | null;

export interface AuditEntry {
  /** Dotted, past tense: `user.disabled`, `auth.refresh_reused`. */
  readonly action: string;
  readonly actorId: string | null;
  readonly target?: { readonly type: string; readonly id: string };
  /** Facts, never secrets. */
  readonly details?: Readonly<Record<string, AuditDetail | Readonly<Record<string, AuditDetail>>>>;
  readonly origin: Origin | null;
}

/** Append-only; pass the transaction of the act, so that neither exists without the other. */
export const recordAudit = async (db: DatabaseOrTransaction, entry: AuditEntry): Promise<void> => {
  await db
    .insertInto('audit_log')
    .values({
      action: entry.action,
      actor_id: entry.actorId,
      target_type: entry.target?.type ?? null,
      target_id: entry.target?.id ?? null,
      ip: entry.origin?.ip ?? null,
      request_id: entry.origin?.requestId ?? null,
      details: JSON.stringify(entry.details ?? {}),
    })
    .execute();
};
