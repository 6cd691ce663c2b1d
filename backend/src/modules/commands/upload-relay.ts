import type { Readable } from 'node:stream';
import { internalPaths } from '@sac/contracts';
import { sql } from 'kysely';
import { request } from 'undici';
import type { Database } from '../../db/database.ts';
import { AppError } from '../../lib/app-error.ts';
import type { SidecarIdentity } from './internal-auth.ts';

/** Marks a request that came from another replica: it is answered there or not at all. */
export const RELAYED_HEADER = 'x-sac-relayed';

const HEADERS_TIMEOUT_MS = 10_000;
const BODY_TIMEOUT_MS = 60_000;

/**
 * The address of the replica that has an upload, from the command that names it: a sandbox can ask for what was written
 * down for it, and send this server nowhere else.
 */
const findHolder = async (db: Database, identity: SidecarIdentity, uploadId: string): Promise<string | null> => {
  const row = await db
    .selectFrom('commands')
    .select(sql<string | null>`payload ->> 'holder'`.as('holder'))
    .where('agent_id', '=', identity.agentId)
    .where('generation', '=', identity.generation)
    .where('kind', '=', 'writeFile')
    .where('state', '=', 'pending')
    .where(sql<string>`payload ->> 'uploadId'`, '=', uploadId)
    .executeTakeFirst();
  return row?.holder ?? null;
};

/**
 * An upload that another replica received, read from there with the sandbox's own credential. Null when no other has it.
 * Throws AppError `unavailable` when the other one does not answer.
 */
export const openRemoteUpload = async (
  db: Database,
  identity: SidecarIdentity,
  wanted: { readonly uploadId: string; readonly authorization: string; readonly ownUrl: string | null },
): Promise<{ readonly stream: Readable; readonly sizeBytes: number } | null> => {
  const holder = await findHolder(db, identity, wanted.uploadId);
  if (holder === null || holder === wanted.ownUrl) return null;
  try {
    const { statusCode, headers, body } = await request(new URL(internalPaths.upload(wanted.uploadId), holder), {
      headers: { authorization: wanted.authorization, [RELAYED_HEADER]: '1' },
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_TIMEOUT_MS,
    });
    if (statusCode === 200) return { stream: body, sizeBytes: Number(headers['content-length'] ?? 0) };
    await body.dump();
    return null;
  } catch (cause) {
    const message = 'The replica that received the file does not answer. Send the file again.';
    throw new AppError('unavailable', message, undefined, { cause });
  }
};
