import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const MAX_LOG_BYTES = 4 * 1024 * 1024;
const MAX_TEXT_CHARACTERS = 4_000;

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/**
 * One JSON line per event in a file of bounded size: at 4 MiB it is renamed to `.1` and begun anew. Logging
 * never fails its caller: a full disk must not end a sandbox.
 */
export class SupervisorLog {
  readonly #path: string;
  #sizeBytes: number;

  constructor(path: string) {
    this.#path = path;
    this.#sizeBytes = 0;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    } catch {
      // Told by the first failing write as well, which is ignored in the same way.
    }
  }

  write(message: string, fields: LogFields = {}): void {
    const short = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.slice(0, MAX_TEXT_CHARACTERS) : value,
      ]),
    );
    const line = `${JSON.stringify({ time: new Date().toISOString(), message, ...short })}\n`;
    try {
      if (this.#sizeBytes + line.length > MAX_LOG_BYTES) {
        renameSync(this.#path, `${this.#path}.1`);
        this.#sizeBytes = 0;
      }
      appendFileSync(this.#path, line, { mode: 0o600 });
      this.#sizeBytes += Buffer.byteLength(line);
    } catch {
      // See above.
    }
  }
}
