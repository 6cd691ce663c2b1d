import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, mkdir, open, unlink } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Transform } from 'node:stream';
import { UPLOAD_MAX_BYTES } from '@sac/contracts';

const MAX_STEM_CHARACTERS = 100;
const MAX_EXTENSION_CHARACTERS = 16;
const MAX_ATTEMPTS = 1_000;
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]/gu;

export class UploadRefused extends Error {
  readonly code: 'payload_too_large' | 'conflict' | 'storage_full';
  constructor(code: UploadRefused['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** A file name without directories, control characters or leading dots; never empty. */
export const safeFileName = (name: string): { readonly stem: string; readonly extension: string } => {
  const clean = name
    .replace(/^.*[/\\]/, '')
    .replace(UNSAFE, '_')
    .replace(/^[.\s]+/, '')
    .trimEnd();
  const extension = extname(clean).slice(0, MAX_EXTENSION_CHARACTERS);
  const stem = [...clean.slice(0, clean.length - extname(clean).length)].slice(0, MAX_STEM_CHARACTERS).join('');
  return { stem: stem === '' ? 'file' : stem, extension };
};

const errorCode = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

const limited = (count: (bytes: number) => void): Transform => {
  let total = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      total += chunk.length;
      count(total);
      if (total > UPLOAD_MAX_BYTES)
        done(new UploadRefused('payload_too_large', `the file is larger than the limit of ${UPLOAD_MAX_BYTES} bytes`));
      else done(null, chunk);
    },
  });
};

const writeTemporary = async (path: string, content: Readable, signal: AbortSignal): Promise<number> => {
  let sizeBytes = 0;
  const file = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    await pipeline(
      content,
      limited((bytes) => (sizeBytes = bytes)),
      file.createWriteStream(),
      { signal },
    );
    return sizeBytes;
  } finally {
    // Closed by the stream already when all went well.
    await file.close().catch(() => undefined);
  }
};

/** Gives the file its name without ever replacing another one. */
const publish = async (directory: string, temporary: string, name: string): Promise<string> => {
  const { stem, extension } = safeFileName(name);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const path = join(directory, `${attempt === 1 ? stem : `${stem}-${attempt}`}${extension}`);
    try {
      await link(temporary, path);
      return path;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
  throw new UploadRefused(
    'conflict',
    `${MAX_ATTEMPTS} files named like ${stem}${extension} exist already; remove some or use another name`,
  );
};

const ensureDirectory = async (directory: string): Promise<void> => {
  await mkdir(directory).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
  });
  const status = await lstat(directory);
  if (!status.isDirectory())
    throw new UploadRefused('conflict', `${directory} is not a directory; remove or rename what is there`);
};

/**
 * Puts a file into `<workspace>/uploads` under a name of its own. It appears whole or not at all.
 * @throws UploadRefused when it is too large, the disk is full or `uploads` is not a plain directory
 */
export const saveUpload = async (
  workspaceDir: string,
  name: string,
  content: Readable,
  signal: AbortSignal,
): Promise<{ path: string; sizeBytes: number }> => {
  const directory = join(workspaceDir, 'uploads');
  const temporary = join(directory, `.${randomUUID()}.part`);
  try {
    await ensureDirectory(directory);
    const sizeBytes = await writeTemporary(temporary, content, signal);
    return { path: await publish(directory, temporary, name), sizeBytes };
  } catch (error) {
    if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT')
      throw new UploadRefused('storage_full', 'the disk of the sandbox is full; delete files and try again');
    throw error;
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
};
