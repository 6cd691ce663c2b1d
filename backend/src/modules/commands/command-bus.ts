import type { CommandResult } from '@sac/contracts';
import type { Logger } from 'pino';
import type { CommandKind, CommandPayload, CommandRow } from '../../db/agent-tables.ts';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AppError } from '../../lib/app-error.ts';
import { COMMAND_RESULTS_CHANNEL, COMMANDS_CHANNEL, notify } from '../agents/channels.ts';
import { abandonCommand, insertCommand } from './command-queue.ts';
import { findCommand, wasOpenedWithin } from './repository.ts';

export interface CommandRequest {
  readonly agentId: string;
  readonly generation: number;
  readonly kind: Exclude<CommandKind, 'prompt'>;
  readonly payload: CommandPayload;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Sends commands that somebody waits for: the row is written, the sidecar's answer is awaited, whichever replica it reaches. */
export interface CommandBus {
  /** Resolves with the sidecar's answer. Throws AppError `unavailable` after `timeoutMs`, and when the signal aborts. */
  run(request: CommandRequest): Promise<CommandResult>;
  /** Queues without waiting. */
  send(request: Omit<CommandRequest, 'signal'>): Promise<void>;
  /** A terminal the sandbox has said to have opened in the last seconds; its next report will show it. */
  openedJustNow(agentId: string, generation: number, terminal: string): Promise<boolean>;
  close(): void;
}

/** A lost notification costs this much, not the whole timeout. */
const RECHECK_MS = 2_000;
const JUST_NOW_MS = 30_000;

const resultOf = (row: CommandRow): CommandResult | null => {
  if (row.state === 'pending') return null;
  return row.result ?? { outcome: 'unknown', reason: 'The sandbox was replaced before it answered.' };
};

export const createCommandBus = (deps: {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly logger: Logger;
}): CommandBus => {
  const { db } = deps;
  const waiters = new Map<string, () => void>();
  const unsubscribe = deps.notifications.subscribe(COMMAND_RESULTS_CHANNEL, (payload) => {
    if (payload !== null) waiters.get(payload)?.();
    else for (const wake of waiters.values()) wake();
  });

  const insert = (request: Omit<CommandRequest, 'signal'>): Promise<string> =>
    inTransaction(db, async (trx) => {
      const { agentId, generation, kind, payload, timeoutMs } = request;
      const id = await insertCommand(trx, { agentId, generation, kind, payload, timeoutMs });
      await notify(trx, COMMANDS_CHANNEL, agentId);
      return id;
    });

  /** Resolves at the next sign of news, at the latest after `delayMs`. */
  const nextSign = (id: string, delayMs: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiters.delete(id);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      signal.addEventListener('abort', done);
      waiters.set(id, done);
      if (signal.aborted) done();
    });

  const awaitResult = async (id: string, request: CommandRequest): Promise<CommandResult> => {
    const deadlineMs = Date.now() + request.timeoutMs;
    for (;;) {
      // Subscribed before looking: a result that arrives in between is not missed.
      const sign = nextSign(id, Math.max(1, Math.min(RECHECK_MS, deadlineMs - Date.now())), request.signal);
      const row = await findCommand(db, id).catch((err: unknown) => {
        deps.logger.warn({ err, commandId: id }, 'command state could not be read');
        return null;
      });
      const result = row ? resultOf(row) : null;
      if (result) {
        waiters.get(id)?.();
        return result;
      }
      await sign;
      if (request.signal.aborted)
        throw new AppError('unavailable', 'The request was given up before the sandbox answered.');
      if (Date.now() >= deadlineMs) {
        const seconds = Math.round(request.timeoutMs / 1000);
        throw new AppError(
          'unavailable',
          `The sandbox did not answer within ${seconds} seconds. Try again; if it happens again, restart the agent.`,
        );
      }
    }
  };

  return {
    run: async (request) => {
      const id = await insert(request);
      try {
        return await awaitResult(id, request);
      } catch (error) {
        await abandonCommand(db, id).catch((err: unknown) =>
          deps.logger.warn({ err, commandId: id }, 'command could not be abandoned'),
        );
        throw error;
      }
    },
    send: async (request) => {
      await insert(request);
    },
    openedJustNow: (agentId, generation, terminal) =>
      wasOpenedWithin(db, { agentId, generation, terminal, withinMs: JUST_NOW_MS }),
    close: () => {
      unsubscribe();
      for (const wake of waiters.values()) wake();
    },
  };
};
