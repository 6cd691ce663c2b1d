import type { KeyObject } from 'node:crypto';
import { CommandResult, internalPaths, SandboxReport } from '@sac/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { Type, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { COMMAND_RESULTS_CHANNEL, notify } from '../agents/channels.ts';
import { settlePrompt } from '../prompts/dispatcher.ts';
import type { UploadStore } from '../prompts/upload-store.ts';
import type { CommandStreams } from './command-stream.ts';
import { authenticateSidecar, type SidecarIdentity } from './internal-auth.ts';
import { storeReport } from './reports.ts';
import { lockCommand, settleCommand } from './repository.ts';
import { openRemoteUpload, RELAYED_HEADER } from './upload-relay.ts';

export interface InternalDeps {
  readonly db: Database;
  readonly master: KeyObject;
  readonly streams: CommandStreams;
  readonly uploads: UploadStore;
  /** Where other replicas reach this one; null: there are none. */
  readonly replicaUrl: string | null;
  readonly logger: Logger;
}

/** A report holds at most 16 terminals and 8 KiB of output. */
const INTERNAL_BODY_LIMIT_BYTES = 256 * 1024;
const CommandId = Type.String({ pattern: '^[1-9][0-9]{0,18}$' });

/** A sidecar newer or older than this server may send fields we do not know; what we know must be right. */
const parse = <S extends TSchema>(schema: S, value: unknown, what: string) => {
  const known = Value.Clean(schema, value);
  if (!Value.Check(schema, known)) {
    const [first] = Value.Errors(schema, known);
    throw new AppError(
      'invalid_request',
      `This is not a ${what}: ${first?.instancePath ?? ''} ${first?.message ?? ''}`.slice(0, 300),
    );
  }
  return known;
};

/** Idempotent: an answer for a command that is settled, or that nobody waits for any more, is taken and changes nothing. */
const acceptResult = (
  deps: InternalDeps,
  identity: SidecarIdentity,
  commandId: string,
  result: CommandResult,
): Promise<void> =>
  inTransaction(deps.db, async (trx) => {
    const command = await lockCommand(trx, commandId, identity.agentId, identity.generation);
    if (!command) throw notFound('This command');
    if (command.state !== 'pending') return;
    await settleCommand(trx, command.id, result);
    await settlePrompt(trx, identity.ownerId, command, result);
    await notify(trx, COMMAND_RESULTS_CHANNEL, command.id);
  });

/**
 * Routes of the internal listener, on an instance of their own that answers nothing else. The credential is
 * checked before a body is read.
 */
export const registerInternalRoutes = (internal: FastifyInstance, deps: InternalDeps): void => {
  const identities = new WeakMap<FastifyRequest, SidecarIdentity>();
  const identityOf = (request: FastifyRequest): SidecarIdentity => {
    const identity = identities.get(request);
    if (!identity) throw new AppError('unauthenticated', 'This request carries no credential.');
    return identity;
  };

  internal.addHook('onRequest', async (request) => {
    identities.set(request, await authenticateSidecar(deps.db, deps.master, request.headers.authorization));
  });

  internal.get(internalPaths.commands, (request, reply) => {
    const identity = identityOf(request);
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    deps.streams.open(identity, reply.raw);
  });

  internal.post<{ Params: { id: string } }>(
    '/internal/commands/:id/result',
    { bodyLimit: INTERNAL_BODY_LIMIT_BYTES },
    async (request, reply) => {
      const identity = identityOf(request);
      const { id } = request.params;
      if (!Value.Check(CommandId, id)) throw notFound('This command');
      await acceptResult(deps, identity, id, parse(CommandResult, request.body, 'command result'));
      return reply.code(204).send();
    },
  );

  internal.post(internalPaths.report, { bodyLimit: INTERNAL_BODY_LIMIT_BYTES }, async (request, reply) => {
    const identity = identityOf(request);
    await storeReport(deps.db, identity, parse(SandboxReport, request.body, 'sandbox report'));
    return reply.code(204).send();
  });

  internal.get<{ Params: { id: string } }>('/internal/uploads/:id', async (request, reply) => {
    const identity = identityOf(request);
    const { id } = request.params;
    const isRelayed = request.headers[RELAYED_HEADER] !== undefined;
    const wanted = { uploadId: id, authorization: request.headers.authorization ?? '', ownUrl: deps.replicaUrl };
    const upload =
      deps.uploads.open(id, identity.agentUid) ??
      (isRelayed ? null : await openRemoteUpload(deps.db, identity, wanted));
    if (!upload) throw notFound('This upload');
    return reply
      .header('content-type', 'application/octet-stream')
      .header('content-length', upload.sizeBytes)
      .send(upload.stream);
  });
};
