import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { endDemoModel } from './demo-model.ts';
import type { Layout } from './layout.ts';
import { choosePostgresHost } from './postgres/host.ts';
import { EmbeddedPostgres } from './postgres/server.ts';
import type { RuntimeFactory } from './runtime-factory.ts';
import { endAllProxies } from './ws-proxy.ts';

const SANDBOX_GRACE_MS = 5_000;

/** Ends every sandbox the runtime knows; agents go on with their conversation at the next start. */
export const stopAllSandboxes = async (runtime: Runtime): Promise<void> => {
  await Promise.all([...runtime.observed().keys()].map((uid) => runtime.stop(uid, { graceMs: SANDBOX_GRACE_MS })));
};

/** Ends what a `sac` that died left behind: sandboxes, proxies, PostgreSQL. The caller holds the lock. */
export const stopLeftovers = async ({
  config,
  layout,
  logger,
  createRuntime,
}: {
  readonly config: Config;
  readonly layout: Layout;
  readonly logger: Logger;
  readonly createRuntime: RuntimeFactory;
}): Promise<void> => {
  const { runtime } = createRuntime({ layout, config, logger });
  await runtime.start();
  await stopAllSandboxes(runtime);
  await runtime.close();
  await endAllProxies(layout.runDir);
  await endDemoModel(layout.runDir);
  if ((await readdir(layout.dataDir)).includes('postgres-host.json')) {
    const host = choosePostgresHost(layout.dataDir, layout.runDir);
    await new EmbeddedPostgres({
      host,
      logger,
      logFile: join(layout.logsDir, 'postgres.log'),
      stateFile: join(layout.runDir, 'postgres.state'),
    }).stop();
  }
};
