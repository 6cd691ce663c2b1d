import { shallowRef, type ShallowRef } from 'vue';
import { admitFiles, uploadName, type Refusal } from './file-path.ts';

export type UploadState = 'waiting' | 'uploading' | 'failed';

export interface Upload {
  readonly key: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly state: UploadState;
  readonly sentBytes: number;
  readonly reason: string | null;
}

export interface UploadQueueOptions {
  /** Sends one file and answers with its path in the workspace. */
  readonly send: (
    file: Blob,
    name: string,
    progress: (sentBytes: number) => void,
    signal: AbortSignal,
  ) => Promise<{ path: string }>;
  readonly explain: (error: unknown) => string;
  readonly onPath: (path: string) => void;
}

interface Item {
  readonly file: File;
  readonly controller: AbortController;
}

/** Files on their way into the workspace, one at a time. While the agent does not run they wait. */
export class UploadQueue {
  readonly uploads: ShallowRef<readonly Upload[]> = shallowRef([]);
  readonly #options: UploadQueueOptions;
  readonly #items = new Map<number, Item>();
  #lastKey = 0;
  #open = false;
  #running = false;
  #closed = false;

  constructor(options: UploadQueueOptions) {
    this.#options = options;
  }

  /** Takes what the limits allow and returns the rest with the reason. */
  add(files: readonly File[], fromClipboard: boolean): { file: File; why: Refusal }[] {
    const { taken, refused } = admitFiles(files, this.uploads.value.length);
    const added = taken.map((file): Upload => {
      const key = (this.#lastKey += 1);
      this.#items.set(key, { file, controller: new AbortController() });
      const name = uploadName(file, fromClipboard, new Date());
      return { key, name, sizeBytes: file.size, state: 'waiting', sentBytes: 0, reason: null };
    });
    this.uploads.value = [...this.uploads.value, ...added];
    void this.#run();
    return refused;
  }

  /** Whether the sandbox takes files now. */
  setOpen(open: boolean): void {
    this.#open = open;
    void this.#run();
  }

  retry(key: number): void {
    const item = this.#items.get(key);
    if (!item) return;
    this.#items.set(key, { file: item.file, controller: new AbortController() });
    this.#patch(key, { state: 'waiting', sentBytes: 0, reason: null });
    void this.#run();
  }

  remove(key: number): void {
    this.#items.get(key)?.controller.abort();
    this.#forget(key);
  }

  close(): void {
    this.#closed = true;
    for (const { controller } of this.#items.values()) controller.abort();
    this.#items.clear();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        const next = this.uploads.value.find((upload) => upload.state === 'waiting');
        if (!next || !this.#open || this.#closed) return;
        await this.#sendOne(next);
      }
    } finally {
      this.#running = false;
    }
  }

  async #sendOne(upload: Upload): Promise<void> {
    const item = this.#items.get(upload.key);
    if (!item) return this.#forget(upload.key);
    this.#patch(upload.key, { state: 'uploading' });
    try {
      const progress = (sentBytes: number): void => this.#patch(upload.key, { sentBytes });
      const { path } = await this.#options.send(item.file, upload.name, progress, item.controller.signal);
      if (!this.#items.has(upload.key)) return;
      this.#forget(upload.key);
      this.#options.onPath(path);
    } catch (error) {
      if (item.controller.signal.aborted || !this.#items.has(upload.key)) return;
      this.#patch(upload.key, { state: 'failed', reason: this.#options.explain(error) });
    }
  }

  #forget(key: number): void {
    this.#items.delete(key);
    this.uploads.value = this.uploads.value.filter((upload) => upload.key !== key);
  }

  #patch(key: number, change: Partial<Upload>): void {
    this.uploads.value = this.uploads.value.map((upload) => (upload.key === key ? { ...upload, ...change } : upload));
  }
}
