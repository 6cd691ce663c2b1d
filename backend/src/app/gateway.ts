import { routes } from '@sac/contracts';
import type { FastifyInstance } from 'fastify';
import { startBackgroundJobs } from '../db/background-jobs.ts';
import type { Handlers } from '../lib/handlers.ts';
import { createAgentFeatures } from '../modules/agent-features.ts';
import { cutEndedSessions } from '../modules/terminals/cut-ended-sessions.ts';
import { createRevocationStreams } from '../modules/terminals/revocation-stream.ts';
import {
  backgroundCheck,
  databaseCheck,
  isolationCheck,
  notificationsCheck,
  sandboxesCheck,
} from '../modules/system/checks.ts';
import { orphansCheck } from '../modules/reconciler/orphans.ts';
import { systemHandlers } from '../modules/system/routes.ts';
import { createSystemService } from '../modules/system/service.ts';
import { volumeHandlers } from '../modules/volumes/routes.ts';
import { createVolumesService } from '../modules/volumes/service.ts';
import { createAccountsPart } from './accounts-part.ts';
import { buildInternalServer } from './build-internal.ts';
import { buildServer } from './build-server.ts';
import { closeServer } from './close-server.ts';
import type { GatewayDeps } from './gateway-deps.ts';
import { accountJobs } from './jobs.ts';
import { createMetrics } from './metrics.ts';

export interface Gateway {
  /** `/api`, `/health`, `/metrics` and the site. Not listening yet. */
  readonly app: FastifyInstance;
  /** For sandboxes; belongs on a listener that the outside cannot reach. Not listening yet. */
  readonly internal: FastifyInstance;
  /** In Prometheus' text format, for a listener that only the monitoring reaches. */
  metricsText(): Promise<string>;
  /** Readiness fails from here on; everything else goes on until `close`. */
  drain(): void;
  /**
   * Ends in this order: readiness fails; no new connections, event streams and sidecar streams end; running
   * requests finish (at most 10 s); background work; hashing threads. Database, notifications, runtime and
   * logger belong to the caller.
   */
  close(): Promise<void>;
}

export const createGateway = async (deps: GatewayDeps): Promise<Gateway> => {
  let isDraining = false;
  const metrics = createMetrics(deps.otherMetrics);
  const people = createAccountsPart(deps);
  const agents = createAgentFeatures({
    db: deps.db,
    registry: metrics.registry,
    notifications: deps.notifications,
    runtime: deps.runtime,
    keys: deps.keys,
    logger: deps.logger,
    demo: deps.demo,
    ticketClock: deps.ticketClock,
    uploadDir: deps.uploadDir,
    uploadsMaxBytes: deps.config.uploadsMaxBytes,
    replicaUrl: deps.replicaUrl,
    outbound: deps.config.outbound,
    pods: deps.config.cluster,
    allowUnisolated: deps.config.allowUnisolated,
    agentsPerUser: async (db, ownerId) => (await people.userSettings.inForce(ownerId, db)).agentsPerUser,
    idleMinutes: async (db) => (await people.settings.read(db)).idleMinutes,
    recording: async () => {
      const { recording, recordingMegabytes } = await people.settings.read();
      return { isOn: recording, totalBytes: recordingMegabytes * 1024 * 1024 };
    },
  });
  const volumes = createVolumesService({ db: deps.db, left: deps.runtime.left });
  const checks = [
    databaseCheck(deps.db, deps.runtime.kind),
    notificationsCheck(deps.db, deps.notifications, deps.runtime.kind),
    backgroundCheck(deps.db, deps.runtime.kind),
    isolationCheck(deps.runtime, deps.config),
    sandboxesCheck(deps.db, deps.runtime),
    ...(deps.runtime.left === undefined ? [] : [volumes.check, orphansCheck(deps.db, deps.runtime.left)]),
    ...deps.checks,
  ];
  const system = createSystemService({
    ...deps,
    checks,
    idleMinutes: async (userId) => (await people.userSettings.inForce(userId)).idleMinutes,
    settings: () => people.settings.read(),
  });
  // Complete by type: a contract route without a handler does not compile.
  const handlers: Handlers = {
    ...people.handlers,
    ...agents.handlers,
    ...systemHandlers(system),
    ...volumeHandlers(volumes),
  };
  metrics.gauge('sac_event_streams', 'Open event streams', () => people.events.openCount());
  metrics.gauge('sac_password_hashes', 'Password hashes computed since the start', () => people.hasher.computedCount());

  const app = await buildServer({
    ...deps,
    metrics,
    routes,
    handlers,
    authenticate: people.sessions.authenticate,
    isDraining: () => isDraining,
    healthParts: deps.runtime.kind === 'kubernetes' ? () => system.health() : null,
  });
  const revocations = createRevocationStreams({
    ...deps,
    sessions: people.sessions,
    credentials: deps.config.proxyCredentials,
  });
  metrics.gauge('sac_proxy_streams', 'Terminal proxies that are told who signed out', () => revocations.openCount());
  const internal = await buildInternalServer(deps.logger, [agents.registerInternalRoutes, revocations.register]);
  await agents.start();
  const stopCutting = cutEndedSessions({ ...deps, sessions: people.sessions });
  const jobs = startBackgroundJobs(deps, [...accountJobs, ...agents.jobs]);

  let isClosing = false;
  const close = async (): Promise<void> => {
    if (isClosing) return;
    isClosing = true;
    isDraining = true;
    people.events.close();
    stopCutting();
    agents.endStreams();
    revocations.close();
    await Promise.all([closeServer(app), closeServer(internal)]);
    // Only now: a sandbox that takes its time to end must not keep new requests coming.
    await agents.close();
    await jobs.close();
    await people.hasher.close();
    metrics.close();
  };
  const drain = (): void => {
    isDraining = true;
  };
  return { app, internal, metricsText: () => metrics.text(), drain, close };
};
