import { once } from 'node:events';
import { homedir } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../app/logging.ts';
import { createMetrics } from '../app/metrics.ts';
import { loadConfig } from '../config/config.ts';
import { findInstallation } from '../config/installation.ts';
import { serveParent } from '../terminal-relay/child.ts';
import { clientAddressBehind } from '../terminal-relay/client-address.ts';
import { createListener, LISTEN_BACKLOG } from '../terminal-relay/listener.ts';
import { encodeTicketKeys } from '../terminal-relay/messages.ts';
import { Relay } from '../terminal-relay/relay.ts';
import { RevocationFeed } from '../terminal-relay/revocation-feed.ts';

/** On the one machine people wait for `make stop`; in a cluster thousands of clients must not return at once. */
const CHILD_DRAIN_MS = 1_000;
const STANDALONE_DRAIN_MS = 20_000;
/** Not ready, but still taking terminals: so long it takes until a cluster sends them elsewhere. */
const ANNOUNCE_MS = 5_000;

const logger = createLogger({ name: 'ws-proxy', level: process.env['SAC_LOG_LEVEL'] || 'info' });

const exitAfter = (work: Promise<void>): void => {
  work.then(
    () => process.exit(0),
    (error: unknown) => {
      logger.fatal({ err: error }, 'ws-proxy did not end cleanly');
      process.exit(1);
    },
  );
};

const runAsChild = (): void => {
  const child = serveParent(
    {
      on: process.on.bind(process),
      once: process.once.bind(process),
      // A parent that has died meanwhile gets no answer; without the callback that would end this process too.
      send: (message) => void process.send?.(message, undefined, undefined, () => undefined),
    },
    logger,
  );
  let stopping = false;
  const stop = (): void => {
    if (stopping) child.relay()?.destroy();
    stopping = true;
    exitAfter(child.relay()?.drain(CHILD_DRAIN_MS) ?? Promise.resolve());
  };
  process.on('SIGTERM', stop);
  // Ctrl+C reaches the whole process group; what it means for this process is for the parent to say.
  process.on('SIGINT', () => undefined);
  exitAfter(child.orphaned);
};

const runStandalone = async (): Promise<void> => {
  const context = { version: findInstallation().version, homeDir: homedir(), interfaceAddresses: [] };
  const config = loadConfig(process.env, { ...context, process: 'ws-proxy' });
  const relay = new Relay(
    {
      ticketKeys: encodeTicketKeys(config.ticketKeys?.all ?? []),
      allowedOrigins: [...config.publicOrigins],
      upstream: { unixDirectory: null, tcp: true },
    },
    logger,
  );
  const feed = new RevocationFeed(relay, {
    url: config.internalUrl,
    credential: config.proxyCredentials[0] ?? '',
    logger,
  });
  const metrics = createMetrics([async () => `${relay.metricsText}${feed.metricsText}`]);
  let stopping = false;
  const server = createListener({
    relay,
    clientAddress: clientAddressBehind(config.trustedProxies),
    isReady: () => !stopping,
    metricsText: () => metrics.text(),
  });
  server.listen({ port: config.wsListen.port, host: config.wsListen.host, backlog: LISTEN_BACKLOG });
  await once(server, 'listening');
  logger.info({ address: server.address() }, 'ws-proxy is listening');
  feed.start();
  const drain = async (): Promise<void> => {
    await sleep(ANNOUNCE_MS);
    server.close();
    await relay.drain(STANDALONE_DRAIN_MS);
    await feed.close();
  };
  const stop = (): void => {
    if (stopping) relay.destroy();
    else exitAfter(drain());
    stopping = true;
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
};

try {
  if (process.send) runAsChild();
  else await runStandalone();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
