import { UPLOAD_MAX_BYTES, type CommandResult } from '@sac/contracts';
import type { Readable } from 'node:stream';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { AppError } from '../../lib/app-error.ts';
import type { AgentService } from '../agents/service.ts';
import type { CommandBus } from '../commands/command-bus.ts';
import { requireRunning } from '../terminals/require-running.ts';
import { safeFileName } from './file-name.ts';
import type { StoredUpload, UploadStore } from './upload-store.ts';

export interface UploadRequest {
  readonly agentId: string;
  readonly name: string;
  /** The raw body. */
  readonly source: Readable;
  /** What the request says, when it says it. */
  readonly contentLengthBytes: number | null;
  readonly signal: AbortSignal;
}

export interface UploadService {
  /** Puts a file into the workspace; resolves when the sandbox has it. */
  upload(owner: Pick<AuthenticatedUser, 'id'>, request: UploadRequest): Promise<{ path: string; sizeBytes: number }>;
}

/** A slow line may need long for 100 MB. Less than the HTTP server waits: that one can only cut the connection. */
const RECEIVE_TIMEOUT_MS = 9 * 60_000;
const WRITE_TIMEOUT_MS = 60_000;
/** Bounds what one account can put on the server's disk at a time. */
const MAX_PARALLEL_PER_USER = 4;

const tooSlow = (cause: unknown): AppError =>
  new AppError(
    'unavailable',
    `The file has not arrived within ${RECEIVE_TIMEOUT_MS / 60_000} minutes. Send a smaller one, or use a faster line.`,
    undefined,
    { cause },
  );

const writtenFile = (result: CommandResult): { path: string; sizeBytes: number } => {
  const { value } = result;
  if (result.outcome === 'done' && value && 'path' in value) return { path: value.path, sizeBytes: value.sizeBytes };
  const reason = result.reason ?? 'no reason was given';
  if (/ENOSPC|EDQUOT|no space left|disk full|quota/i.test(reason)) {
    throw new AppError(
      'storage_full',
      'The disk of the sandbox is full; the file was not stored. Delete files in the workspace, then try again.',
    );
  }
  throw new AppError('unavailable', `The sandbox could not store the file: ${reason.slice(0, 300)}`);
};

export const createUploadService = (deps: {
  readonly agents: AgentService;
  readonly bus: CommandBus;
  readonly store: UploadStore;
  /** Where other replicas, which the sandbox may ask for the file, reach this one; null: there are none. */
  readonly replicaUrl: string | null;
}): UploadService => {
  const active = new Map<string, number>();

  const enter = (userId: string): (() => void) => {
    const count = active.get(userId) ?? 0;
    if (count >= MAX_PARALLEL_PER_USER) {
      throw new AppError(
        'rate_limited',
        `${MAX_PARALLEL_PER_USER} uploads are under way already. Wait until one is done.`,
        { retryAfterSeconds: 2 },
      );
    }
    active.set(userId, count + 1);
    return () => {
      const left = (active.get(userId) ?? 1) - 1;
      if (left > 0) active.set(userId, left);
      else active.delete(userId);
    };
  };

  const handOver = async (
    own: Awaited<ReturnType<AgentService['own']>>,
    request: UploadRequest,
    stored: StoredUpload,
  ) => {
    const payload = {
      uploadId: stored.id,
      name: safeFileName(request.name),
      sizeBytes: stored.sizeBytes,
      ...(deps.replicaUrl !== null && { holder: deps.replicaUrl }),
    };
    const { generation } = requireRunning(own);
    return writtenFile(
      await deps.bus.run({
        agentId: request.agentId,
        generation,
        kind: 'writeFile',
        payload,
        timeoutMs: WRITE_TIMEOUT_MS,
        signal: request.signal,
      }),
    );
  };

  const upload: UploadService['upload'] = async (owner, request) => {
    const before = await deps.agents.own(owner, request.agentId);
    requireRunning(before);
    if ((request.contentLengthBytes ?? 0) > UPLOAD_MAX_BYTES) {
      throw new AppError(
        'payload_too_large',
        `The file is larger than ${UPLOAD_MAX_BYTES / 1024 / 1024} MB, the limit for one upload.`,
        { limitBytes: UPLOAD_MAX_BYTES },
      );
    }
    const leave = enter(owner.id);
    try {
      const timeout = AbortSignal.timeout(RECEIVE_TIMEOUT_MS);
      const signal = AbortSignal.any([request.signal, timeout]);
      const stored = await deps.store.store(before.record.row.uid, request.source, signal).catch((error: unknown) => {
        throw timeout.aborted ? tooSlow(error) : error;
      });
      try {
        // Looked up again: minutes may have passed, and the sandbox may be another one now.
        return await handOver(await deps.agents.own(owner, request.agentId), request, stored);
      } finally {
        await stored.dispose();
      }
    } finally {
      leave();
    }
  };

  return { upload };
};
