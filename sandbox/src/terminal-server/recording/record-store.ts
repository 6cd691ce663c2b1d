import { constants } from 'node:fs';
import { lstat, mkdir, open, opendir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { recordingLimits, type RecordingSegment } from '@sac/contracts';
import { summaryOf } from './cast.ts';

const FILE_NAME = /^([0-9]{12})-(main|shell-[1-9][0-9]?)\.cast$/;
const ID_DIGITS = 12;
/** A directory with more than this was filled by somebody else; what lies beyond is not looked at. */
const MAX_DIRECTORY_ENTRIES = 4_096;
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Not blocking, because somebody may have put a pipe there. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** A segment that cannot be ended grows beyond this; even so it has to stay readable. */
const LARGEST_SEGMENT_BYTES = recordingLimits.segmentBytes / 4;

interface Entry {
  readonly id: number;
  readonly terminal: string;
  bytes: number;
  isOpen: boolean;
  summary: RecordingSegment | null;
}

export class SegmentMissing extends Error {}

/** A file that is being written. */
export interface OpenSegment {
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * The record of all terminals of a sandbox: one directory, one file per segment, bounded as a whole. When it is
 * full the terminal that holds most gives up its oldest segment, so that a flood in one shell does not
 * cost the history of the others. Files are the only truth; they survive restarts.
 */
export class RecordStore {
  readonly totalBytes: number;
  readonly #directory: string;
  readonly #entries = new Map<number, Entry>();
  readonly #ready: Promise<void>;
  #nextId = 1;

  /** `directory` is made when it is missing. */
  constructor(directory: string, totalBytes: number) {
    this.#directory = directory;
    this.totalBytes = totalBytes;
    this.#ready = this.#scan();
    this.#ready.catch(() => undefined);
  }

  /** A segment is full at this size: small enough that one of each terminal fits many times over. */
  get segmentBytes(): number {
    return Math.min(LARGEST_SEGMENT_BYTES, Math.floor(this.totalBytes / 32));
  }

  /** @throws the file system's error */
  async create(terminal: string): Promise<OpenSegment> {
    await this.#ready;
    const entry: Entry = { id: this.#nextId++, terminal, bytes: 0, isOpen: true, summary: null };
    const file = await this.#createFile(entry);
    this.#entries.set(entry.id, entry);
    return {
      append: (text) => this.#append(entry, file, text),
      close: async () => {
        entry.isOpen = false;
        await file.close();
      },
    };
  }

  /** Terminals of which there is a record, by name; whose file was there first is chance. */
  async terminals(): Promise<readonly string[]> {
    await this.#ready;
    return [...new Set([...this.#entries.values()].map(({ terminal }) => terminal))].sort();
  }

  /** Oldest first. A file that is not a segment (any more) is left out. */
  async list(terminal: string): Promise<readonly RecordingSegment[]> {
    await this.#ready;
    const segments: RecordingSegment[] = [];
    for (const entry of [...this.#entries.values()].filter((one) => one.terminal === terminal)) {
      if (entry.summary?.bytes !== entry.bytes) entry.summary = await this.#summarize(entry);
      if (entry.summary !== null) segments.push(entry.summary);
    }
    return segments.sort((a, b) => a.id - b.id);
  }

  /** At most `recordingLimits.readBytes` from `offset` on. @throws SegmentMissing, or the file system's error */
  async read(terminal: string, id: number, offset: number): Promise<Buffer> {
    await this.#ready;
    const entry = this.#entries.get(id);
    if (entry?.terminal !== terminal) throw new SegmentMissing(`segment ${id} of ${terminal} is not there any more`);
    return this.#withFile(entry, async (file) => {
      const count = Math.max(0, Math.min(recordingLimits.readBytes, entry.bytes - offset));
      if (count === 0) return Buffer.alloc(0);
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(count), 0, count, offset);
      return buffer.subarray(0, bytesRead);
    });
  }

  #pathOf({ id, terminal }: Pick<Entry, 'id' | 'terminal'>): string {
    return join(this.#directory, `${String(id).padStart(ID_DIGITS, '0')}-${terminal}.cast`);
  }

  async #scan(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const found: Entry[] = [];
    let seen = 0;
    for await (const { name } of await opendir(this.#directory)) {
      if (++seen > MAX_DIRECTORY_ENTRIES) break;
      const [, id, terminal] = FILE_NAME.exec(name) ?? [];
      if (id === undefined || terminal === undefined) continue;
      const entry: Entry = { id: Number(id), terminal, bytes: 0, isOpen: false, summary: null };
      const status = await lstat(this.#pathOf(entry)).catch(() => null);
      if (status?.isFile()) found.push({ ...entry, bytes: status.size });
    }
    for (const entry of found.sort((a, b) => a.id - b.id)) this.#entries.set(entry.id, entry);
    this.#nextId = (found.at(-1)?.id ?? 0) + 1;
    await this.#makeRoom();
  }

  async #createFile(entry: Entry): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(entry), WRITE_FLAGS, 0o600);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      // Somebody removed the directory; the record begins anew.
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      return open(this.#pathOf(entry), WRITE_FLAGS, 0o600);
    }
  }

  async #append(entry: Entry, file: FileHandle, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await file.appendFile(bytes);
    entry.bytes += bytes.length;
    await this.#makeRoom();
  }

  async #makeRoom(): Promise<void> {
    for (;;) {
      const entries = [...this.#entries.values()];
      const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
      if (total <= this.totalBytes && entries.length <= recordingLimits.segments) return;
      const oldest = this.#oldestOfTheLargest(entries);
      if (oldest === undefined)
        throw new Error(`${total} bytes are being written at once, the limit is ${this.totalBytes}`);
      this.#entries.delete(oldest.id);
      await unlink(this.#pathOf(oldest)).catch(() => undefined);
    }
  }

  #oldestOfTheLargest(entries: readonly Entry[]): Entry | undefined {
    const closed = entries.filter(({ isOpen }) => !isOpen);
    const held = new Map<string, number>();
    for (const { terminal, bytes } of entries) held.set(terminal, (held.get(terminal) ?? 0) + bytes);
    const most = Math.max(...closed.map(({ terminal }) => held.get(terminal) ?? 0));
    return closed.find(({ terminal }) => held.get(terminal) === most);
  }

  async #summarize(entry: Entry): Promise<RecordingSegment | null> {
    const wanted = entry.bytes;
    try {
      return await this.#withFile(entry, async (file) => {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, 0);
        return summaryOf(entry.id, buffer.subarray(0, bytesRead));
      });
    } catch {
      return null;
    }
  }

  async #withFile<T>(entry: Entry, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await open(this.#pathOf(entry), READ_FLAGS);
    try {
      const status = await file.stat();
      if (!status.isFile() || entry.bytes > recordingLimits.segmentBytes)
        throw new SegmentMissing(`segment ${entry.id} was replaced by something else`);
      return await use(file);
    } finally {
      await file.close();
    }
  }
}
