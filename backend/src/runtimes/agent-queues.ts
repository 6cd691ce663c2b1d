import type { Logger } from 'pino';

/** Work on one agent happens in order, work on different agents at the same time. */
export class AgentQueues {
  readonly #last = new Map<string, Promise<void>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Carries the outcome of `work`; after a failure, which is logged, the queue goes on. */
  add(agentUid: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#last.get(agentUid) ?? Promise.resolve()).then(work);
    const settled = done
      .catch((error: unknown) => this.#logger.error({ agentUid, err: error }, 'sandbox operation failed'))
      .finally(() => {
        if (this.#last.get(agentUid) === settled) this.#last.delete(agentUid);
      });
    this.#last.set(agentUid, settled);
    return done;
  }

  /** Resolves when all that waits now is done. */
  async settled(): Promise<void> {
    await Promise.all([...this.#last.values()]);
  }
}
