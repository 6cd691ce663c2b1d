import process from 'node:process';
import { parseArgs } from 'node:util';
import { ApiException, AppsV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { endAgents } from '../chart-hook/end-agents.ts';
import { keysWish, makeSecrets, minioWish, postgresWish } from '../chart-hook/make-secrets.ts';

/**
 * What the chart's hooks run, with accounts that exist only meanwhile.
 *
 * chart-hook make-secrets --namespace NS --instance RELEASE [--keys NAME] [--postgresql NAME] [--minio NAME]
 * chart-hook end-agents --namespace NS --deployment NAME --keys NAME --agents NS,NS
 */
const END_TIMEOUT_MS = 240_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    namespace: { type: 'string' },
    instance: { type: 'string', default: 'sac' },
    keys: { type: 'string' },
    postgresql: { type: 'string' },
    minio: { type: 'string' },
    deployment: { type: 'string' },
    agents: { type: 'string' },
  },
});

const needed = (name: 'namespace' | 'keys' | 'deployment' | 'agents'): string => {
  const value = values[name];
  if (value === undefined || value === '') throw new Error(`--${name} is missing.`);
  return value;
};

const cluster = (): KubeConfig => {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
};

const runMakeSecrets = async (): Promise<void> => {
  const namespace = needed('namespace');
  const wishes = [
    ...(values.keys === undefined ? [] : [keysWish(values.keys)]),
    ...(values.postgresql === undefined ? [] : [postgresWish(values.postgresql, namespace)]),
    ...(values.minio === undefined ? [] : [minioWish(values.minio)]),
  ];
  const where = { namespace, instance: values.instance };
  for (const sentence of await makeSecrets(cluster().makeApiClient(CoreV1Api), where, wishes)) {
    process.stdout.write(`${sentence}\n`);
  }
};

const runEndAgents = async (): Promise<void> => {
  const config = cluster();
  const core = config.makeApiClient(CoreV1Api);
  const namespace = needed('namespace');
  const secret = await core.readNamespacedSecret({ name: needed('keys'), namespace });
  const installId = Buffer.from(secret.data?.['install-id'] ?? '', 'base64')
    .toString('utf8')
    .trim();
  if (!/^[a-z0-9-]{1,36}$/.test(installId)) throw new Error(`Secret ${needed('keys')} has no install-id.`);
  const ended = await endAgents({
    core,
    apps: config.makeApiClient(AppsV1Api),
    namespace,
    deployment: needed('deployment'),
    agentNamespaces: needed('agents').split(','),
    installId,
    timeoutMs: END_TIMEOUT_MS,
  });
  process.stdout.write(`Ended ${ended} agents. Their volumes stay.\n`);
};

/** Of an answer of the API server its status and reason alone: the rest holds headers and perhaps secrets. */
const describe = (error: unknown): string => {
  if (!(error instanceof ApiException)) return error instanceof Error ? error.message : String(error);
  const body: unknown = error.body;
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  return `The API server answered ${error.code}: ${message.slice(0, 500)}`;
};

try {
  const [command] = positionals;
  if (command === 'make-secrets') await runMakeSecrets();
  else if (command === 'end-agents') await runEndAgents();
  else throw new Error('Say what to do: make-secrets or end-agents.');
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = 1;
}
