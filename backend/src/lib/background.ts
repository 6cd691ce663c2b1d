import type { Logger } from 'pino';

/** Runs what nobody waits for; a failure is logged, never unhandled. */
export const runInBackground = (logger: Pick<Logger, 'error'>, what: string, work: () => Promise<unknown>): void => {
  work().catch((err: unknown) => {
    logger.error({ err, what }, 'background work failed');
  });
};
