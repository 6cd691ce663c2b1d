import pg from 'pg';
import type { Logger } from 'pino';
import { backoffMs } from '../lib/backoff.ts';
import { connectionSettings } from './database.ts';

/** `null` says that notifications may have been missed: look for yourself what is new. */
export type NotificationHandler = (payload: string | null) => void;

/** One connection that listens for everybody in this process, and comes back when the server does. */
export interface NotificationHub {
  /** Handlers must not throw or block; they get `null` once after subscribing and after every reconnect. Returns the way out. */
  subscribe(channel: string, handler: NotificationHandler): () => void;
  close(): Promise<void>;
}

const RECONNECT = { firstMs: 100, maxMs: 5_000 };
/** A peer that vanished without a word is found by asking it. */
const PROBE_INTERVAL_MS = 15_000;
const PROBE_TIMEOUT_MS = 5_000;
const channelPattern = /^[a-z_]{1,60}$/;

export const createNotificationHub = (options: {
  readonly url: string;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
}): NotificationHub => {
  const handlers = new Map<string, Set<NotificationHandler>>();
  const listening = new Set<string>();
  let client: pg.Client | null = null;
  let tail: Promise<void> = Promise.resolve();
  let failures = 0;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  const call = (handler: NotificationHandler, payload: string | null): void => {
    try {
      handler(payload);
    } catch (err) {
      options.logger.error({ err }, 'notification handler failed');
    }
  };

  const schedule = (delayMs: number, work: () => void): void => {
    if (timer !== null) clearTimeout(timer);
    timer = closed ? null : setTimeout(work, delayMs);
    timer?.unref();
  };

  const lost = (from: pg.Client, err: unknown): void => {
    if (client !== from || closed) return;
    client = null;
    listening.clear();
    const retryMs = Math.round(backoffMs(RECONNECT, (failures += 1)));
    options.logger.warn({ err, retryMs }, 'the connection that hears from the database was lost; trying again');
    from.end().catch(() => undefined);
    schedule(retryMs, connect);
  };

  const listen = async (to: pg.Client, channel: string): Promise<void> => {
    await to.query(`listen ${channel}`);
    listening.add(channel);
    for (const handler of handlers.get(channel) ?? []) call(handler, null);
  };

  const listenToNew = async (to: pg.Client): Promise<void> => {
    for (;;) {
      const next = [...handlers.keys()].find((channel) => !listening.has(channel));
      if (next === undefined) return;
      await listen(to, next);
    }
  };

  /** Whatever a connection does waits for what it did before: the driver takes one query at a time. */
  const enqueue = (to: pg.Client, work: (to: pg.Client) => Promise<unknown>): void => {
    tail = tail
      .then(async () => {
        if (client === to) await work(to);
      })
      .catch((err: unknown) => lost(to, err));
  };

  const probeLater = (to: pg.Client): void => {
    schedule(PROBE_INTERVAL_MS, () => {
      enqueue(to, () => to.query('select 1'));
      enqueue(to, async () => probeLater(to));
    });
  };

  const open = async (to: pg.Client): Promise<void> => {
    listening.clear();
    await to.connect();
    await listenToNew(to);
    failures = 0;
    probeLater(to);
  };

  const connect = (): void => {
    const next = new pg.Client({
      ...connectionSettings({ url: options.url, applicationName: 'sac listen' }),
      query_timeout: PROBE_TIMEOUT_MS,
    });
    client = next;
    next.on('error', (err) => lost(next, err));
    next.on('end', () => lost(next, new Error('connection ended')));
    next.on('notification', ({ channel, payload }) => {
      for (const handler of handlers.get(channel) ?? []) call(handler, payload ?? '');
    });
    enqueue(next, open);
  };

  const subscribe = (channel: string, handler: NotificationHandler): (() => void) => {
    if (!channelPattern.test(channel)) throw new Error(`channel name ${channel} is not allowed`);
    const existing = handlers.get(channel);
    if (existing === undefined) handlers.set(channel, new Set([handler]));
    else existing.add(handler);
    if (client === null && timer === null) connect();
    else if (client !== null) enqueue(client, listenToNew);
    if (listening.has(channel)) queueMicrotask(() => call(handler, null));
    return () => handlers.get(channel)?.delete(handler);
  };

  const close = async (): Promise<void> => {
    closed = true;
    if (timer !== null) clearTimeout(timer);
    const last = client;
    client = null;
    handlers.clear();
    await last?.end().catch(() => undefined);
  };

  return { subscribe, close };
};
