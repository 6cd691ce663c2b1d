import { isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { noPodLimits } from '@sac/contracts';
import { Value } from 'typebox/value';
import {
  type ClusterConfig,
  defaultAgentPod,
  parseAgentLimits,
  parseAgentPod,
  parseClis,
  parseImages,
  parseNamespaces,
  parseRuntimeClasses,
} from './cluster.ts';
import {
  type Environment,
  environmentSchema,
  type logLevels,
  neededVariables,
  type ProcessName,
  secretVariables,
  type VariableName,
} from './environment.ts';
import { type Keys, parseMasterKey, parseSigningKeys, type SigningKeys } from './keys.ts';
import {
  type Address,
  list,
  parseAddress,
  parseCredentials,
  parseDatabaseUrl,
  parseOrigin,
  parsePodIp,
  parsePort,
  parseRange,
  parseSize,
  parseTrustedProxy,
} from './parsers.ts';
import { readSecretFile } from './secret-file.ts';

/** What api-gateway needs to know, wherever it runs. */
export interface GatewayConfig {
  readonly version: string;
  readonly listen: Address;
  /** Origins the site is opened under (`scheme://host[:port]`); the first one goes into links. Never empty. */
  readonly publicOrigins: readonly string[];
  /** Addresses and CIDR ranges, in the form Fastify's `trustProxy` takes. */
  readonly trustedProxies: readonly string[];
  readonly logLevel: (typeof logLevels)[number];
  readonly allowUnisolated: boolean;
  readonly demo: boolean;
  readonly databasePoolSize: number;
  /** Of all uploads on their way at one time; null: as much as the disk has. */
  readonly uploadsMaxBytes: number | null;
  /** A stand-alone ws-proxy shows the first, api-gateway accepts all. Empty on one machine. */
  readonly proxyCredentials: readonly string[];
  /** CIDR ranges, for connections to addresses that people choose. */
  readonly outbound: { readonly deny: readonly string[]; readonly allow: readonly string[] };
  /** Null on one machine. */
  readonly cluster: ClusterConfig | null;
}

export interface Config extends GatewayConfig {
  /** Absolute. */
  readonly dataDir: string;
  /** Null where it was not given: `sac` brings its own database, other processes refuse to start. */
  readonly databaseUrl: string | null;
  readonly databaseWaitMs: number;
  readonly internalListen: Address;
  /** Null: metrics are only where people sign in. */
  readonly metricsListen: Address | null;
  readonly wsListen: Address;
  /** Null when none of the key variables is set: `sac` makes its own, other processes refuse to start. */
  readonly keys: Keys | null;
  /** Those of `keys`; ws-proxy gets these alone. */
  readonly ticketKeys: SigningKeys | null;
  /** Empty on one machine. */
  readonly internalUrl: string;
}

/** Facts about the machine that defaults depend on; given by the entrypoint, so that loading stays pure. */
export interface ConfigContext {
  readonly version: string;
  readonly homeDir: string;
  /** Addresses of this machine's interfaces, for the origins of a server that listens on all of them. */
  readonly interfaceAddresses: readonly string[];
  /** Whose needs are checked; default `sac`. */
  readonly process?: ProcessName;
}

export interface ConfigProblem {
  readonly variable: string;
  /** Completes the sentence "<variable> …". Never holds the value of a secret. */
  readonly problem: string;
}

/** Holds all problems at once: finding them one restart at a time wastes an evening. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const title = problems.length === 1 ? 'The configuration has a problem' : 'The configuration has problems';
    super(`${title}:\n${problems.map((entry) => `  ${entry.variable} ${entry.problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const WILDCARD_HOSTS = new Set(['0.0.0.0', '::']);
const hostInUrl = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

const defaultOrigins = ({ host, port }: Address, context: ConfigContext): string[] => {
  const hosts = WILDCARD_HOSTS.has(host) ? ['127.0.0.1', ...context.interfaceAddresses] : [host];
  if (hosts.includes('127.0.0.1') || hosts.includes('::1')) hosts.push('localhost');
  return [...new Set(hosts)].map((name) => new URL(`http://${hostInUrl(name)}:${port}`).origin);
};

type RawEnvironment = Readonly<Record<string, string | undefined>>;

/** Runs parsers of single variables and collects what they throw. */
class ProblemCollector {
  readonly problems: ConfigProblem[] = [];

  attempt<T>(variable: VariableName, fallback: T, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      this.problems.push({ variable, problem: error instanceof Error ? error.message : 'is not valid' });
      return fallback;
    }
  }

  /** Null for an empty text. */
  optional<T>(variable: VariableName, text: string, parse: (text: string) => T): T | null {
    return text === '' ? null : this.attempt(variable, null, () => parse(text));
  }
}

const secretNames: ReadonlySet<string> = new Set(secretVariables);
const isSecretFile = (name: string): boolean => name.endsWith('_FILE') && secretNames.has(name.slice(0, -5));

/** What Kubernetes says about Services in the same namespace, unless the pod is told not to want it. */
const isServiceLink = (name: string, value: string): boolean =>
  /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) || (/_PORT(_\d+_.*)?$/.test(name) && /^(tcp|udp|sctp):/.test(value));

/** An empty variable counts as not set: that is what `SAC_X= make start` means. */
const textOf = (env: RawEnvironment, name: string, collector: ProblemCollector): string => {
  const given = env[name] ?? '';
  const file = secretNames.has(name) ? (env[`${name}_FILE`] ?? '') : '';
  if (file === '') return isServiceLink(name, given) ? '' : given;
  if (given !== '') collector.problems.push({ variable: name, problem: `is given, and so is ${name}_FILE; keep one` });
  try {
    return readSecretFile(file);
  } catch (error) {
    collector.problems.push({ variable: `${name}_FILE`, problem: (error as Error).message });
    return '';
  }
};

const describe = (schema: object): string =>
  'description' in schema && typeof schema.description === 'string' ? schema.description : 'it is needed';

const readEnvironment = (env: RawEnvironment, needs: ProcessName, collector: ProblemCollector): Environment => {
  const values: Record<string, string> = {};
  const needed: ReadonlySet<string> = new Set(neededVariables[needs]);
  for (const [name, schema] of Object.entries(environmentSchema.properties)) {
    const fallback = 'default' in schema && typeof schema.default === 'string' ? schema.default : '';
    const known = collector.problems.length;
    const value = textOf(env, name, collector) || fallback;
    const valid = Value.Check(schema, value);
    if (!valid) {
      const expected = 'expected' in schema && typeof schema.expected === 'string' ? schema.expected : 'shorter';
      collector.problems.push({ variable: name, problem: `must be ${expected}` });
    }
    if (value === '' && needed.has(name) && collector.problems.length === known)
      collector.problems.push({ variable: name, problem: `is missing: ${describe(schema)}` });
    values[name] = valid ? value : fallback;
  }
  for (const [name, value = ''] of Object.entries(env)) {
    const known = Object.hasOwn(environmentSchema.properties, name) || isSecretFile(name) || isServiceLink(name, value);
    if (name.startsWith('SAC_') && !known)
      collector.problems.push({ variable: name, problem: 'is not a setting of this program; is it misspelt?' });
  }
  return values as Environment; // every property of the schema was filled in above
};

const readSigningKeys = (
  environment: Environment,
  name: 'SAC_ACCESS_TOKEN_KEYS' | 'SAC_TERMINAL_TICKET_KEYS',
  collector: ProblemCollector,
): SigningKeys | null =>
  environment[name] === '' ? null : collector.attempt(name, null, () => parseSigningKeys(environment[name]));

/** All or none: half of them would be made up anew at every start. */
const readKeys = (
  environment: Environment,
  terminalTicket: SigningKeys | null,
  collector: ProblemCollector,
): Keys | null => {
  const names = ['SAC_MASTER_KEY', 'SAC_ACCESS_TOKEN_KEYS', 'SAC_TERMINAL_TICKET_KEYS'] as const;
  if (names.every((name) => environment[name] === '')) return null;
  for (const name of names) {
    const isReported = collector.problems.some(({ variable }) => variable.startsWith(name));
    if (environment[name] === '' && !isReported)
      collector.problems.push({ variable: name, problem: 'is missing while the other keys are given' });
  }
  const master = collector.attempt('SAC_MASTER_KEY', null, () =>
    environment.SAC_MASTER_KEY === '' ? null : parseMasterKey(environment.SAC_MASTER_KEY),
  );
  const accessToken = readSigningKeys(environment, 'SAC_ACCESS_TOKEN_KEYS', collector);
  return master && accessToken && terminalTicket ? { master, accessToken, terminalTicket } : null;
};

const readCluster = (values: Environment, collector: ProblemCollector): ClusterConfig | null => {
  if (values.SAC_KUBERNETES_NAMESPACES === '') return null;
  const pod = collector.attempt('SAC_AGENT_POD', defaultAgentPod, () => parseAgentPod(values.SAC_AGENT_POD));
  return {
    namespaces: collector.attempt('SAC_KUBERNETES_NAMESPACES', [], () =>
      parseNamespaces(list(values.SAC_KUBERNETES_NAMESPACES)),
    ),
    installId: values.SAC_INSTALL_ID,
    clusterDomain: values.SAC_CLUSTER_DOMAIN,
    agentImage: values.SAC_AGENT_IMAGE,
    imagePullSecrets: list(values.SAC_AGENT_IMAGE_PULL_SECRETS),
    clis: collector.attempt('SAC_AGENT_CLIS', [], () => parseClis(list(values.SAC_AGENT_CLIS))),
    pod,
    limits: collector.attempt('SAC_AGENT_LIMITS', noPodLimits, () => parseAgentLimits(values.SAC_AGENT_LIMITS, pod)),
    images: collector.attempt('SAC_AGENT_IMAGES', [], () => parseImages(list(values.SAC_AGENT_IMAGES))),
    runtimeClasses: collector.attempt('SAC_AGENT_RUNTIME_CLASSES', [], () =>
      parseRuntimeClasses(list(values.SAC_AGENT_RUNTIME_CLASSES)),
    ),
    podIp: collector.optional('SAC_POD_IP', values.SAC_POD_IP, parsePodIp),
  };
};

/** Loopback, private, carrier and benchmark networks, and the same through a NAT64 gateway or 6to4. */
const PRIVATE_RANGES = [
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'],
  ...['::1/128', 'fc00::/7', 'fec0::/10', '2002::/16'],
  ...['64:ff9b::7f00:0/104', '64:ff9b::a00:0/104', '64:ff9b::ac10:0/108', '64:ff9b::c0a8:0/112', '64:ff9b::6440:0/106'],
].join(',');

/** On one machine people run models beside their agents; in a cluster, inside is where other people's things are. */
const readOutbound = (values: Environment, needs: ProcessName, collector: ProblemCollector): Config['outbound'] => {
  const deny = values.SAC_OUTBOUND_DENY || (needs === 'api-gateway' ? PRIVATE_RANGES : '');
  return {
    deny: collector.attempt('SAC_OUTBOUND_DENY', [], () => list(deny).map(parseRange)),
    allow: collector.attempt('SAC_OUTBOUND_ALLOW', [], () => list(values.SAC_OUTBOUND_ALLOW).map(parseRange)),
  };
};

const readListeners = (values: Environment, collector: ProblemCollector) => {
  const nowhere: Address = { host: '', port: 0 };
  const port = collector.attempt('SAC_PORT', 0, () => parsePort(values.SAC_PORT));
  return {
    listen: { host: values.SAC_HOST, port },
    internalListen: collector.attempt('SAC_INTERNAL_LISTEN', nowhere, () => parseAddress(values.SAC_INTERNAL_LISTEN)),
    wsListen: collector.attempt('SAC_WS_LISTEN', nowhere, () => parseAddress(values.SAC_WS_LISTEN)),
    metricsListen: collector.optional('SAC_METRICS_LISTEN', values.SAC_METRICS_LISTEN, parseAddress),
  };
};

/** Reads the whole configuration. Throws one `ConfigError` that names every bad variable. */
export const loadConfig = (env: RawEnvironment, context: ConfigContext): Config => {
  const collector = new ProblemCollector();
  const needs = context.process ?? 'sac';
  const values = readEnvironment(env, needs, collector);
  const listeners = readListeners(values, collector);
  const dataDir = values.SAC_DATA_DIR === '' ? join(context.homeDir, '.sac') : values.SAC_DATA_DIR;
  if (!isAbsolute(dataDir)) collector.problems.push({ variable: 'SAC_DATA_DIR', problem: 'must be an absolute path' });
  const ticketKeys = readSigningKeys(values, 'SAC_TERMINAL_TICKET_KEYS', collector);
  const config: Config = {
    ...listeners,
    version: context.version,
    publicOrigins: collector.attempt('SAC_PUBLIC_URL', [], () => {
      const given = list(values.SAC_PUBLIC_URL).map(parseOrigin);
      return given.length > 0 ? given : defaultOrigins(listeners.listen, context);
    }),
    trustedProxies: collector.attempt('SAC_TRUSTED_PROXIES', [], () =>
      list(values.SAC_TRUSTED_PROXIES).map(parseTrustedProxy),
    ),
    logLevel: values.SAC_LOG_LEVEL,
    allowUnisolated: values.SAC_ALLOW_UNISOLATED === '1',
    demo: values.SAC_DEMO === '1',
    databasePoolSize: Math.max(1, Number(values.SAC_DATABASE_POOL)),
    uploadsMaxBytes: collector.optional('SAC_UPLOADS_SIZE', values.SAC_UPLOADS_SIZE, parseSize),
    databaseWaitMs: Number(values.SAC_DATABASE_WAIT_SECONDS) * 1000,
    dataDir,
    databaseUrl: collector.optional('SAC_DATABASE_URL', values.SAC_DATABASE_URL, parseDatabaseUrl),
    keys: needs === 'ws-proxy' || needs === 'migrate' ? null : readKeys(values, ticketKeys, collector),
    ticketKeys,
    proxyCredentials: collector.attempt('SAC_WS_PROXY_CREDENTIAL', [], () =>
      parseCredentials(values.SAC_WS_PROXY_CREDENTIAL),
    ),
    internalUrl: values.SAC_INTERNAL_URL,
    cluster: readCluster(values, collector),
    outbound: readOutbound(values, needs, collector),
  };
  if (collector.problems.length > 0) throw new ConfigError(collector.problems);
  return Object.freeze(config);
};
