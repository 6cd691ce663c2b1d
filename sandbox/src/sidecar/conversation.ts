import type { ExitStatus } from '@sac/contracts';
import { readFile, rename } from 'node:fs/promises';
import type { HookEvent } from '../hooks/hook-event.ts';
import { writeAtomically } from '../supervisor/prepare.ts';
import { meaningOf } from './activity.ts';

/** The id becomes an argument of the CLI, so nothing that could be an option or a path is taken. */
const CONVERSATION_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
/** A CLI that ends sooner than this with a resumed conversation did not like it. */
const SHORT_LIFE_MS = 10_000;
const MAX_SHORT_LIVES = 2;

/** Hooks that also come from a CLI nobody has talked to: it has nothing on disk that could be taken up. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['SessionStart', 'SessionEnd', 'Notification']);

/**
 * Remembers which conversation the CLI is in, for the next start. An id is only written down once a prompt was
 * submitted: before that there is nothing on disk to resume and the CLI would refuse it.
 */
export class Conversation {
  readonly #path: string;
  #id: string | null = null;
  /** What the file holds; behind while it cannot be written, as on a full disk. */
  #written: string | null = null;
  #writing: Promise<void> = Promise.resolve();
  #shortLives = 0;
  #startedAt: string | null = null;
  #resuming = false;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<void> {
    const text = (await readFile(this.#path, 'utf8').catch(() => '')).trim();
    this.#id = CONVERSATION_ID.test(text) ? text : null;
    this.#written = this.#id;
  }

  get id(): string | null {
    return this.#id;
  }

  /** Returns whether the id changed. @throws when it cannot be written; the next hook tries again */
  async hook(event: HookEvent): Promise<boolean> {
    const { sessionId, subagentId } = event;
    if (meaningOf(event.event) === 'UserPromptSubmit') this.#resuming = false;
    if (SAYS_NOTHING.has(meaningOf(event.event)) || subagentId !== null || sessionId === null) return false;
    if (!CONVERSATION_ID.test(sessionId)) return false;
    const changed = sessionId !== this.#id;
    this.#id = sessionId;
    if (changed) this.#shortLives = 0;
    await this.#write();
    return changed;
  }

  /** One after the other: of two ids in a row the later one stays. */
  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const id = this.#id;
      if (id === null || id === this.#written) return;
      await writeAtomically(this.#path, id, 0o644);
      this.#written = id;
    };
    const done = this.#writing.then(write);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** Told, perhaps more than once, that the CLI runs since `startedAt`; with a conversation known it takes that up. */
  mainRuns(startedAt: string): void {
    if (startedAt === this.#startedAt) return;
    this.#startedAt = startedAt;
    this.#resuming = this.#id !== null;
  }

  /**
   * Told of every end of the CLI. A conversation that the CLI refuses to take up is set aside instead of ending every
   * start. A CLI that was killed, or that was talked to, refused nothing. Returns whether it was set aside.
   */
  async mainEnded(livedMs: number, exit: ExitStatus | null): Promise<boolean> {
    const refused = this.#resuming && livedMs < SHORT_LIFE_MS && (exit?.code ?? 0) !== 0;
    this.#shortLives = refused ? this.#shortLives + 1 : 0;
    if (this.#shortLives < MAX_SHORT_LIVES) return false;
    this.#id = null;
    this.#written = null;
    this.#shortLives = 0;
    await rename(this.#path, `${this.#path}.set-aside`).catch(() => undefined);
    return true;
  }
}
