import { homedir } from 'node:os';
import process from 'node:process';
import { KubeConfig } from '@kubernetes/client-node';
import type { CliInfo } from '@sac/contracts';
import { createLogger } from '../app/logging.ts';
import { startGatewayProcess, type GatewayProcess } from '../cluster/gateway-process.ts';
import { DatabaseNotReady } from '../cluster/schema-wait.ts';
import type { ClusterConfig } from '../config/cluster.ts';
import { ConfigError, loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { createKubernetesRuntime } from '../runtimes/kubernetes/kubernetes-runtime.ts';
import { cliPins, shellInfo } from '../runtimes/local/cli-pins.ts';

/** What the image of sandboxes has; which versions is for the image to say. */
const clisOf = ({ clis }: ClusterConfig): CliInfo[] =>
  clis.map((name) =>
    name === 'shell'
      ? shellInfo
      : { name, title: cliPins[name].title, version: null, installed: true, note: cliPins[name].note },
  );

const run = async (): Promise<void> => {
  process.umask(0o077);
  const installation = findInstallation();
  const context = { version: installation.version, homeDir: homedir(), interfaceAddresses: [] };
  const config = loadConfig(process.env, { ...context, process: 'api-gateway' });
  const { cluster } = config;
  if (cluster === null) throw new Error('there is no cluster although it was checked');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault(); // KUBECONFIG, the account's own file, or the pod's service account
  const logger = createLogger({ level: config.logLevel, name: 'api-gateway' });

  // Asked to end while it starts: there is nothing to hand over yet.
  let gateway: GatewayProcess | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    if (gateway === null) {
      const waited = 'it waits for the database and its schema, then for what the cluster has';
      logger.warn(
        { signal, upSeconds: Math.round(process.uptime()) },
        `ended by ${signal} before it listened: ${waited}`,
      );
      process.exit(0);
    }
    gateway.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);

  gateway = await startGatewayProcess({
    config,
    installation,
    logger,
    createRuntime: () => ({
      runtime: createKubernetesRuntime({
        kubeConfig,
        namespaces: cluster.namespaces,
        installId: cluster.installId,
        image: cluster.agentImage,
        imagePullSecrets: cluster.imagePullSecrets,
        clusterDomain: cluster.clusterDomain,
        internalUrl: config.internalUrl,
        pod: cluster.pod,
        widestEgress: cluster.limits.egress ?? 'internet',
        version: config.version,
        logger,
      }),
      clis: { list: () => clisOf(cluster) },
    }),
  });
  const { publicUrl: api, internalUrl: internal, metricsUrl: metrics } = gateway;
  logger.info({ api, internal, metrics }, 'api-gateway is listening');
};

try {
  await run();
} catch (error) {
  const known = error instanceof ConfigError || error instanceof DatabaseNotReady;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
}
