import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isIPv6, type AddressInfo, type Server } from 'node:net';
import type { Logger } from 'pino';
import { createGateway, type Gateway } from '../app/gateway.ts';
import type { CliList, GatewayDeps } from '../app/gateway-deps.ts';
import type { Config } from '../config/config.ts';
import type { Keys } from '../config/keys.ts';
import type { Installation } from '../config/installation.ts';
import { readClock } from '../db/clock.ts';
import { createDatabase } from '../db/database.ts';
import { createNotificationHub } from '../db/listen.ts';
import { refuse } from '../lib/refusal.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { clusterCheck } from './health.ts';
import { createMetricsListener } from './metrics-listener.ts';
import { waitForDatabase } from './schema-wait.ts';

export interface GatewayProcessOptions {
  /** Of an `api-gateway`: what that needs is there. */
  readonly config: Config;
  readonly installation: Pick<Installation, 'migrationsDir'>;
  readonly logger: Logger;
  /** Called once the database is there. */
  readonly createRuntime: () => { readonly runtime: Runtime; readonly clis: CliList };
  /** For tests. */
  readonly tuning?: GatewayDeps['tuning'];
}

export interface GatewayProcess {
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly metricsUrl: string | null;
  /**
   * Readiness fails at once, but everything goes on for `announceMs`, until the cluster sends requests elsewhere; then
   * all that was started ends, in the opposite order.
   */
  stop(options?: { readonly announceMs: number }): Promise<void>;
}

/** So long it takes until everybody in a cluster knows that a pod is not ready. */
const ANNOUNCE_MS = 5_000;

type End = () => Promise<void> | void;

const urlOf = (server: Server): string => {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
};

const endAll = async (ends: readonly End[], logger: Logger): Promise<void> => {
  for (const end of [...ends].reverse()) {
    try {
      await end();
    } catch (err) {
      logger.error({ err }, 'a part did not end cleanly');
    }
  }
};

const replicaUrlOf = ({ cluster, internalListen }: Config): string | null => {
  const ip = cluster?.podIp ?? null;
  return ip === null ? null : `http://${isIPv6(ip) ? `[${ip}]` : ip}:${internalListen.port}`;
};

const needed = <T>(value: T | null, name: string): T => {
  if (value === null) throw new Error(`${name} is missing although it was checked`);
  return value;
};

const listenAll = async (gateway: Gateway, config: Config, ends: End[]): Promise<string | null> => {
  await gateway.internal.listen({ ...config.internalListen });
  await gateway.app.listen({ ...config.listen });
  if (config.metricsListen === null) return null;
  const metrics = createMetricsListener(() => gateway.metricsText());
  metrics.listen(config.metricsListen.port, config.metricsListen.host);
  await once(metrics, 'listening');
  ends.push(() => {
    metrics.closeAllConnections();
    metrics.close();
  });
  return urlOf(metrics);
};

const startAll = async (options: GatewayProcessOptions, ends: End[]) => {
  const { config, logger, installation } = options;
  const url = needed(config.databaseUrl, 'SAC_DATABASE_URL');
  const keys: Keys = needed(config.keys, 'SAC_MASTER_KEY');
  await waitForDatabase({ url, migrationsDir: installation.migrationsDir, waitMs: config.databaseWaitMs, logger });
  const db = createDatabase({ url, logger, maxConnections: config.databasePoolSize, applicationName: 'sac gateway' });
  ends.push(() => db.destroy());
  const notifications = createNotificationHub({ url, logger });
  ends.push(() => notifications.close());
  const { runtime, clis } = options.createRuntime();
  ends.push(() => runtime.close());
  await runtime.start();
  const gateway = await createGateway({
    config,
    db,
    notifications,
    runtime,
    clis,
    keys,
    logger,
    demo: null,
    frontendDir: null,
    uploadDir: join(config.dataDir, 'uploads'),
    replicaUrl: replicaUrlOf(config),
    handUpgrade: (_request, socket) =>
      refuse(socket, { code: 'not_found', message: 'Terminals are at ws-proxy; route /ws/ to it.' }),
    ticketClock: () => readClock(db),
    revokeTerminals: () => undefined, // proxies follow by themselves
    checks: [clusterCheck(runtime)],
    otherMetrics: [() => runtime.metrics?.() ?? Promise.resolve(null)],
    ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
  });
  ends.push(() => gateway.close());
  return { gateway, metricsUrl: await listenAll(gateway, config, ends) };
};

/** One replica of api-gateway. On failure all that was started is ended again. */
export const startGatewayProcess = async (options: GatewayProcessOptions): Promise<GatewayProcess> => {
  const { logger } = options;
  const ends: End[] = [];
  const { gateway, metricsUrl } = await startAll(options, ends).catch(async (error: unknown) => {
    await endAll(ends, logger);
    throw error;
  });
  let stopping: Promise<void> | null = null;
  const stop: GatewayProcess['stop'] = ({ announceMs } = { announceMs: ANNOUNCE_MS }) => {
    stopping ??= (async () => {
      gateway.drain();
      await sleep(announceMs);
      await endAll(ends, logger);
    })();
    return stopping;
  };
  return { publicUrl: urlOf(gateway.app.server), internalUrl: urlOf(gateway.internal.server), metricsUrl, stop };
};
