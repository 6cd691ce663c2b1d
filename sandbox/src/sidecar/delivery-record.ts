import { readFile, rm } from 'node:fs/promises';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CommandResult } from '@sac/contracts';
import { writeAtomically } from '../supervisor/prepare.ts';

const DeliveryRecord = Type.Object({
  commandId: Type.String(),
  /** When the paste began. */
  startedAtMs: Type.Integer(),
  /** Null while it is undecided. */
  result: Type.Union([CommandResult, Type.Null()]),
});
export type DeliveryRecord = Static<typeof DeliveryRecord>;
const check = Compile(DeliveryRecord);

/**
 * The one prompt whose paste has begun, on disk, so that no crash can make it be sent twice: who finds a record
 * for a command never pastes that command again.
 */
export class DeliveryStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<DeliveryRecord | null> {
    const text = await readFile(this.#path, 'utf8').catch(() => null);
    if (text === null) return null;
    try {
      const value: unknown = JSON.parse(text);
      return check.Check(value) ? value : null;
    } catch {
      return null;
    }
  }

  async write(record: DeliveryRecord): Promise<void> {
    await writeAtomically(this.#path, JSON.stringify(record), 0o600);
  }

  async clear(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
