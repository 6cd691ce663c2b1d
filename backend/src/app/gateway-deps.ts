import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CliInfo } from '@sac/contracts';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../config/config.ts';
import type { Keys } from '../config/keys.ts';
import type { Database } from '../db/database.ts';
import type { NotificationHub } from '../db/listen.ts';
import type { PasswordHasherOptions } from '../modules/auth/password-hasher.ts';
import type { HealthCheck } from '../modules/system/health-check.ts';
import type { Runtime } from '../runtimes/runtime.ts';

/** What the gateway asks of the catalog of installable CLIs. */
export interface CliList {
  list(): readonly CliInfo[] | Promise<readonly CliInfo[]>;
}

/** Everything the gateway is made of; built once per process by an entrypoint, which also ends what it built. */
export interface GatewayDeps {
  readonly config: GatewayConfig;
  readonly db: Database;
  /** `createNotificationHub({ url, logger })` on the same database. */
  readonly notifications: NotificationHub;
  /** Started already. */
  readonly runtime: Runtime;
  readonly keys: Keys;
  readonly logger: Logger;
  /** The scripted model server of DEMO=1. */
  readonly demo: { readonly modelUrl: string } | null;
  readonly clis: CliList;
  /** Takes over an upgrade request for a path under `/ws/`, socket and all; it answers refusals itself. */
  readonly handUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Cuts the terminals opened in these browser sessions, wherever they are relayed, and refuses their tickets. */
  readonly revokeTerminals: (authSessionIds: readonly string[]) => void;
  /** What ws-proxy goes by too, epoch milliseconds: this machine's clock, or that of the database where there are several machines. */
  readonly ticketClock: () => Promise<number>;
  /** Absolute; files on their way into a sandbox. Made when it is missing. */
  readonly uploadDir: string;
  /** Address of the internal listener for other replicas; null: there are none. */
  readonly replicaUrl: string | null;
  /** Built browser files; null when another server hands them out. */
  readonly frontendDir: string | null;
  /** Health of what only the entrypoint knows. */
  readonly checks: readonly HealthCheck[];
  /** Metrics of the other processes, in Prometheus' text format; null from one that does not answer. */
  readonly otherMetrics: readonly (() => Promise<string | null>)[];
  /** For tests. */
  readonly tuning?: {
    readonly passwordHasher?: PasswordHasherOptions;
    readonly events?: { readonly heartbeatMs: number };
  };
}
