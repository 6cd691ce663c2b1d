import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createGateway, type Gateway } from '../app/gateway.ts';
import type { CliList } from '../app/gateway-deps.ts';
import type { Config } from '../config/config.ts';
import type { Installation } from '../config/installation.ts';
import { createDatabase, type Database } from '../db/database.ts';
import { createNotificationHub } from '../db/listen.ts';
import { migrate, MigrationError } from '../db/migrate.ts';
import { countDemoAgents } from '../modules/agents/records.ts';
import { createAdminLink, isAdminThere } from '../modules/auth/links.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { type ControlActions, serveControl, type Welcome } from './control.ts';
import { DemoModel, endDemoModel } from './demo-model.ts';
import { MachineFault } from './fault.ts';
import { demoModelCheck, diskCheck, proxyCheck } from './health.ts';
import { loadKeys } from './key-files.ts';
import { type Layout, makePrivateDir } from './layout.ts';
import { stopAllSandboxes } from './leftovers.ts';
import { keepLogsBounded } from './log-files.ts';
import { explainListenError, reservePort } from './port.ts';
import { clusterExists } from './postgres/cluster.ts';
import { choosePostgresHost } from './postgres/host.ts';
import { EmbeddedPostgres } from './postgres/server.ts';
import type { RuntimeFactory } from './runtime-factory.ts';
import { type StopOptions, Teardown } from './teardown.ts';
import { endAllProxies, WsProxy } from './ws-proxy.ts';

export interface MachineOptions {
  readonly config: Config;
  readonly installation: Installation;
  readonly layout: Layout;
  readonly logger: Logger;
  readonly createRuntime: RuntimeFactory;
  readonly onProgress: (message: string) => void;
}

const LINK_PATH = '/welcome#';

/**
 * All parts of one machine, in the order in which they need each other: PostgreSQL, schema, model server, ws-proxy,
 * runtime, gateway, control socket. They end in the opposite order. The caller holds the lock of the data directory.
 */
export class Machine {
  readonly url: string;
  readonly #options: MachineOptions;
  readonly #teardown: Teardown;
  readonly #startedAt = new Date();
  #postgres!: EmbeddedPostgres;
  #database!: Database;
  #demo: DemoModel | null = null;
  #proxy!: WsProxy;
  #runtime!: Runtime;
  #stopping: Promise<void> | null = null;
  #ended = Promise.withResolvers<void>();

  private constructor(options: MachineOptions) {
    this.#options = options;
    this.#teardown = new Teardown(options.logger);
    this.url = options.config.publicOrigins[0] ?? '';
  }

  /** Resolves when everything is ready to be used. On failure all that was started is ended again. */
  static async start(options: MachineOptions): Promise<Machine> {
    const machine = new Machine(options);
    try {
      await machine.#startAll();
      return machine;
    } catch (error) {
      await machine.stop({ keep: false });
      throw error;
    }
  }

  /** Resolves when the machine has been stopped, by whomever. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  stop(options: StopOptions): Promise<void> {
    this.#stopping ??= this.#teardown.run(options).then(this.#ended.resolve);
    return this.#stopping;
  }

  /** The address people open, with a fresh single-use link while there is no admin. */
  async welcome(): Promise<Welcome> {
    const adminLink = (await isAdminThere(this.#database)) ? null : (await this.#adminLink()).url;
    const agentsWithoutDemo = this.#demo === null ? await countDemoAgents(this.#database) : 0;
    return { url: this.url, adminLink, agentsWithoutDemo };
  }

  async #adminLink(): Promise<{ url: string; expiresAt: string }> {
    const { secret, expiresAt } = await createAdminLink(this.#database);
    return { url: `${this.url}${LINK_PATH}${secret}`, expiresAt: expiresAt.toISOString() };
  }

  async #startAll(): Promise<void> {
    const { config, layout, logger, installation } = this.#options;
    await reservePort(config.listen.host, config.listen.port);
    const logs = ['sac', 'postgres', 'ws-proxy', 'demo-model'].map((name) => join(layout.logsDir, `${name}.log`));
    this.#teardown.add(
      'logs',
      keepLogsBounded(logs, (err) => logger.warn({ err }, 'log file could not be bounded')),
    );
    const keys = await this.#startPostgres();
    this.#database = createDatabase({ url: this.#postgres.url, logger, maxConnections: config.databasePoolSize });
    this.#teardown.add('database connections', () => this.#database.destroy());
    const notifications = createNotificationHub({ url: this.#postgres.url, logger });
    this.#teardown.add('database notifications', () => notifications.close());
    if (config.demo) await this.#startDemo();
    else await endDemoModel(layout.runDir); // of an earlier start that had one
    this.#startProxy(keys.terminalTicket);
    const clis = await this.#startRuntime();
    const uploadDir = join(layout.dataDir, 'uploads');
    makePrivateDir(uploadDir);
    const gateway = await createGateway({
      config,
      keys,
      logger,
      notifications,
      clis,
      uploadDir,
      ticketClock: () => Promise.resolve(Date.now()),
      replicaUrl: null,
      db: this.#database,
      runtime: this.#runtime,
      demo: this.#demo === null ? null : { modelUrl: this.#demo.url },
      handUpgrade: (request, socket, head) => this.#proxy.handUpgrade(request, socket, head),
      revokeTerminals: (authSessionIds) => this.#proxy.revoke(authSessionIds),
      checks: [
        diskCheck(layout.dataDir),
        proxyCheck(this.#proxy),
        ...(this.#demo === null ? [] : [demoModelCheck(this.#demo)]),
      ],
      otherMetrics: [() => this.#proxy.metrics()],
      frontendDir: installation.frontendDir,
    });
    this.#teardown.add('gateway', () => gateway.close());
    await this.#listen(gateway);
  }

  async #startPostgres(): Promise<ReturnType<typeof loadKeys>> {
    const { config, layout, logger, installation, onProgress } = this.#options;
    const host = choosePostgresHost(layout.dataDir, layout.runDir);
    const isFirst = !clusterExists(host);
    const keys = config.keys ?? loadKeys(layout.secretsDir, !isFirst);
    onProgress(isFirst ? 'Creating the database …' : 'Starting the database …');
    this.#postgres = new EmbeddedPostgres({
      host,
      logger,
      onProgress,
      logFile: join(layout.logsDir, 'postgres.log'),
      stateFile: join(layout.runDir, 'postgres.state'),
    });
    this.#teardown.add('PostgreSQL', ({ keep }) => (keep ? this.#postgres.release() : this.#postgres.stop()));
    await this.#postgres.start();
    this.#postgres.watch();
    try {
      const applied = await migrate({ url: this.#postgres.url, directory: installation.migrationsDir });
      if (applied.length > 0) logger.info({ applied }, 'migrations applied');
    } catch (error) {
      if (error instanceof MigrationError)
        throw new MachineFault('The database could not be brought up to date.', error.message, { cause: error });
      throw error;
    }
    return keys;
  }

  async #startDemo(): Promise<void> {
    const { layout, logger, installation, onProgress } = this.#options;
    onProgress('Starting the demo model …');
    const demo = new DemoModel({
      script: join(installation.backendDist, 'demo-model.js'),
      dataDir: layout.dataDir,
      runDir: layout.runDir,
      logFile: join(layout.logsDir, 'demo-model.log'),
      logger,
    });
    this.#teardown.add('demo model', ({ keep }) => (keep ? demo.release() : demo.stop()));
    await demo.start();
    this.#demo = demo;
  }

  #startProxy(ticketKeys: ReturnType<typeof loadKeys>['terminalTicket']): void {
    const { config, layout, logger, installation } = this.#options;
    this.#proxy = new WsProxy({
      script: join(installation.backendDist, 'ws-proxy.js'),
      runDir: layout.runDir,
      logFile: join(layout.logsDir, 'ws-proxy.log'),
      logger,
      logLevel: config.logLevel,
      ticketKeys,
      allowedOrigins: config.publicOrigins,
      trustedProxies: config.trustedProxies,
    });
    this.#teardown.add('ws-proxy', async ({ keep }) => {
      if (keep) return this.#proxy.release();
      await this.#proxy.stop();
      return endAllProxies(layout.runDir);
    });
    this.#proxy.start();
  }

  async #startRuntime(): Promise<CliList> {
    const { config, layout, logger, createRuntime, onProgress } = this.#options;
    onProgress('Looking for running agents …');
    const { runtime, clis } = createRuntime({ layout, config, logger });
    this.#runtime = runtime;
    this.#teardown.add('runtime', async ({ keep }) => {
      if (!keep) await stopAllSandboxes(runtime);
      await runtime.close();
    });
    await runtime.start();
    return clis;
  }

  async #listen(gateway: Gateway): Promise<void> {
    const { config, layout, logger } = this.#options;
    rmSync(layout.internalSocket, { force: true }); // of a dead process: we hold the lock
    await gateway.internal.listen({ path: layout.internalSocket });
    try {
      await gateway.app.listen({ host: config.listen.host, port: config.listen.port });
    } catch (error) {
      throw explainListenError(error, config.listen.host, config.listen.port);
    }
    const control = await serveControl(layout.controlSocket, this.#actions(), logger);
    this.#teardown.add('control socket', () => {
      control.close();
      rmSync(layout.controlSocket, { force: true });
    });
  }

  #actions(): ControlActions {
    return {
      status: () => this.#status(),
      welcome: () => this.welcome(),
      adminLink: () => this.#adminLink(),
      restart: async (service) => (service === 'ws' ? this.#proxy.restart() : this.#postgres.restart()),
      stop: (options) => {
        // After the answer is out; `ended` tells the entrypoint.
        setImmediate(() => {
          void this.stop(options); // never rejects: the teardown logs what fails
        });
      },
    };
  }

  #status(): ReturnType<ControlActions['status']> {
    const { config } = this.#options;
    const database = this.#postgres.status;
    const proxy = this.#proxy.status;
    const sandboxes = [...this.#runtime.observed().values()].filter((sandbox) => sandbox.state !== 'gone');
    const isolation = this.#runtime.isolation();
    const restarted = (count: number): string => (count === 0 ? '' : `, started again ${count} times`);
    return {
      pid: process.pid,
      version: config.version,
      url: this.url,
      startedAt: this.#startedAt.toISOString(),
      demo: config.demo,
      parts: [
        { name: 'api', state: 'running', detail: `pid ${process.pid}, ${config.listen.host}:${config.listen.port}` },
        { name: 'ws', state: proxy.state, detail: `pid ${proxy.pid ?? '-'}${restarted(proxy.restarts)}` },
        {
          name: 'db',
          state: database.state,
          detail: `PostgreSQL ${database.version}, pid ${database.pid ?? '-'}${restarted(database.restarts)}`,
        },
        ...(this.#demo === null ? [] : [{ name: 'demo model', state: this.#demo.state, detail: this.#demo.url }]),
        {
          name: 'agents',
          state: `${sandboxes.length} running`,
          detail: isolation.isolated ? 'isolated' : `not isolated: ${isolation.reason ?? 'unknown reason'}`,
        },
      ],
    };
  }
}
