import { createReadStream, createWriteStream, type ReadStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { randomBytes } from 'node:crypto';
import { UPLOAD_MAX_BYTES } from '@sac/contracts';
import { AppError } from '../../lib/app-error.ts';

export interface StoredUpload {
  readonly id: string;
  readonly sizeBytes: number;
  /** Deletes the file. */
  dispose(): Promise<void>;
}

/** Files on their way from a browser to a sandbox. They live only as long as the request that brought them. */
export interface UploadStore {
  /** Removes what a killed process left behind; call before the first `store`. */
  prepare(): Promise<void>;
  /** Throws AppError payload_too_large or storage_full; leaves no file behind when it throws. */
  store(agentUid: string, source: Readable, signal: AbortSignal): Promise<StoredUpload>;
  /** Null unless the upload is for exactly this agent. */
  open(id: string, agentUid: string): { readonly stream: ReadStream; readonly sizeBytes: number } | null;
}

interface Entry {
  readonly agentUid: string;
  readonly path: string;
  readonly sizeBytes: number;
}

const tooLarge = (): AppError =>
  new AppError(
    'payload_too_large',
    `The file is larger than ${UPLOAD_MAX_BYTES / 1024 / 1024} MB, the limit for one upload.`,
    { limitBytes: UPLOAD_MAX_BYTES },
  );

const isDiskFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

const noRoom = (): AppError =>
  new AppError('storage_full', 'Too many files are on their way to sandboxes. Try again in a moment.');

/** Counts what passes and stops at the limit, whatever the request's length header says. */
const countingLimit = (count: (bytes: number) => AppError | null): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const problem = count(chunk.length);
      if (problem === null) done(null, chunk);
      else done(problem);
    },
  });

/** `maxTotalBytes`: of all files at one time; null: what the disk has room for. */
export const createUploadStore = (directory: string, maxTotalBytes: number | null): UploadStore => {
  const entries = new Map<string, Entry>();
  let totalBytes = 0;

  const store: UploadStore['store'] = async (agentUid, source, signal) => {
    const id = randomBytes(16).toString('hex');
    const path = join(directory, id);
    let sizeBytes = 0;
    const limit = countingLimit((bytes) => {
      sizeBytes += bytes;
      totalBytes += bytes;
      if (sizeBytes > UPLOAD_MAX_BYTES) return tooLarge();
      return maxTotalBytes !== null && totalBytes > maxTotalBytes ? noRoom() : null;
    });
    try {
      await pipeline(source, limit, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
    } catch (error) {
      await rm(path, { force: true });
      totalBytes -= sizeBytes;
      if (isDiskFull(error)) {
        throw new AppError(
          'storage_full',
          "The server's disk is full; the file was not stored. Free space, then try again.",
          undefined,
          { cause: error },
        );
      }
      throw error;
    }
    entries.set(id, { agentUid, path, sizeBytes });
    const dispose = async (): Promise<void> => {
      if (!entries.delete(id)) return;
      await rm(path, { force: true });
      totalBytes -= sizeBytes;
    };
    return { id, sizeBytes, dispose };
  };

  return {
    prepare: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const leftovers = (await readdir(directory)).filter((name) => /^[0-9a-f]{32}$/.test(name));
      for (const name of leftovers) await rm(join(directory, name), { force: true });
    },
    store,
    open: (id, agentUid) => {
      const entry = entries.get(id);
      if (entry?.agentUid !== agentUid) return null;
      return { stream: createReadStream(entry.path), sizeBytes: entry.sizeBytes };
    },
  };
};
