/**
 * What `make dev CLUSTER=namespace` needs besides the cluster of the kubeconfig: a namespace, a database and keys that stay, and the
 * address under which pods reach this machine.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { startTestPostgres } from '../backend/test/postgres.ts';

const INTERNAL_PORT = 8082;
export const WS_PORT = 7682;
const KUBECTL_TIMEOUT_MS = 30_000;

export interface DevCluster {
  /** For migrate, api-gateway and ws-proxy alike. */
  readonly env: NodeJS.ProcessEnv;
  /** Ends the database; its files stay. Pods go on. */
  close(): Promise<void>;
}

const kubectl = (args: readonly string[], input = ''): string => {
  const { status, stdout, stderr, error } = spawnSync('kubectl', args, {
    encoding: 'utf8',
    input,
    timeout: KUBECTL_TIMEOUT_MS,
  });
  if (error) throw new Error(`kubectl did not run: ${error.message}. It has to be on the PATH.`);
  if (status !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${stderr.trim().slice(0, 2_000)}`);
  return stdout;
};

/** Without policies: what pods may reach is not what is worked on. */
const makeNamespace = (name: string): void => {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  kubectl(['apply', '--filename', '-'], JSON.stringify(namespace));
};

/** The address of this machine on its way to the first node; nothing is sent. */
const addressTowardsNodes = async (): Promise<string> => {
  const path = 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  const [node = ''] = kubectl(['get', 'nodes', '--output', path]).trim().split(' ');
  if (node === '') throw new Error('The cluster of the kubeconfig has no node with an address.');
  const socket = createSocket(node.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.connect(9, node);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
};

/** Made once: a database knows the keys it was filled with, and objects in the cluster the installation. */
const keptSecrets = (directory: string): NodeJS.ProcessEnv => {
  const file = join(directory, 'secrets.json');
  const secret = () => randomBytes(48).toString('base64url');
  if (!existsSync(file)) {
    const made = {
      SAC_INSTALL_ID: `dev-${randomBytes(4).toString('hex')}`,
      SAC_MASTER_KEY: secret(),
      SAC_ACCESS_TOKEN_KEYS: `dev:${secret()}`,
      SAC_TERMINAL_TICKET_KEYS: `dev:${secret()}`,
      SAC_WS_PROXY_CREDENTIAL: secret(),
    };
    writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8')) as NodeJS.ProcessEnv;
};

/** Pods find the gateway under `SAC_INTERNAL_URL` where that is set (a Telepresence intercept, a tunnel), else at this machine's address. */
const internalListener = async (): Promise<NodeJS.ProcessEnv> => {
  if (process.env['SAC_INTERNAL_URL']) return { SAC_INTERNAL_LISTEN: `127.0.0.1:${INTERNAL_PORT}` };
  const address = await addressTowardsNodes();
  const host = address.includes(':') ? `[${address}]` : address;
  return { SAC_INTERNAL_LISTEN: `${host}:${INTERNAL_PORT}`, SAC_INTERNAL_URL: `http://${host}:${INTERNAL_PORT}` };
};

/** @throws Error that says what is missing */
export const prepareDevCluster = async (namespace: string): Promise<DevCluster> => {
  if (!process.env['SAC_AGENT_IMAGE'])
    throw new Error(
      'SAC_AGENT_IMAGE is missing: an image of sandboxes that the nodes have or can pull, for example one of `make docker-build IMAGES=sac-agent`.',
    );
  makeNamespace(namespace);
  const internal = await internalListener();
  const directory = join(process.env['SAC_DEV_DIR'] || join(homedir(), '.sac-dev'), namespace);
  const databaseDir = join(directory, 'database');
  mkdirSync(databaseDir, { recursive: true, mode: 0o700 });
  const database = process.env['SAC_DATABASE_URL'] ? null : await startTestPostgres(databaseDir);
  const { SAC_DEV_DIR: _ours, ...given } = process.env;
  const env = {
    ...keptSecrets(directory),
    ...internal,
    ...(database && { SAC_DATABASE_URL: database.urlOf('postgres') }),
    SAC_DATA_DIR: join(directory, 'gateway'),
    SAC_KUBERNETES_NAMESPACES: namespace,
    SAC_ALLOW_UNISOLATED: '1',
    SAC_WS_LISTEN: `127.0.0.1:${WS_PORT}`,
    ...given,
  };
  return { env, close: async () => database?.kill() };
};
