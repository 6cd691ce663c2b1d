import type { Logger } from 'pino';

export interface StopOptions {
  /** Leaves PostgreSQL, sandboxes and open terminals running, for the next start to find. */
  readonly keep: boolean;
}

/** Undoes what was started, last first; one failure does not keep the rest from ending. */
export class Teardown {
  readonly #logger: Logger;
  readonly #steps: { readonly name: string; readonly run: (options: StopOptions) => unknown }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, run: (options: StopOptions) => unknown): void {
    this.#steps.push({ name, run });
  }

  async run(options: StopOptions): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run(options);
        this.#logger.info({ part: step.name, keep: options.keep }, 'part ended');
      } catch (err) {
        this.#logger.error({ err, part: step.name }, 'part did not end cleanly');
      }
    }
  }
}
