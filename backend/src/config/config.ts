import { isIP } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { Value } from 'typebox/value';
import { type Environment, environmentSchema, type logLevels, type VariableName } from './environment.ts';
import { type Keys, parseKey, parseSigningKeys } from './keys.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

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
}

export interface Config extends GatewayConfig {
  /** Absolute. */
  readonly dataDir: string;
  /** Null where it was not given: `sac` brings its own database, other processes refuse to start. */
  readonly databaseUrl: string | null;
  readonly internalListen: Address;
  readonly wsListen: Address;
  /** Null when none of the key variables is set: `sac` makes its own, other processes refuse to start. */
  readonly keys: Keys | null;
}

/** Facts about the machine that defaults depend on; given by the entrypoint, so that loading stays pure. */
export interface ConfigContext {
  readonly version: string;
  readonly homeDir: string;
  /** Addresses of this machine's interfaces, for the origins of a server that listens on all of them. */
  readonly interfaceAddresses: readonly string[];
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

const parseAddress = (value: string): Address => {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+):([0-9]{1,5})$/.exec(value);
  const host = match?.[1]?.replace(/^\[|\]$/g, '');
  const port = Number(match?.[2]);
  if (host === undefined || port > 65_535) throw new Error('must be host:port, for example 127.0.0.1:8082');
  return { host, port };
};

const parsePort = (value: string): number => {
  const port = Number(value);
  if (port > 65_535) throw new Error('must be a port between 0 and 65535');
  return port;
};

const list = (value: string): string[] =>
  value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

const parseOrigin = (value: string): string => {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new Error('must hold http:// or https:// addresses separated by commas, for example https://sac.example.org');
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error('must hold addresses without a path: the site cannot live below one');
  }
  return url.origin;
};

const parseTrustedProxy = (value: string): string => {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
  if (family === 0 || !isPrefix || rest.length > 0) {
    throw new Error('must hold IP addresses or CIDR ranges separated by commas, for example 10.0.0.0/8');
  }
  if (prefix !== undefined && Number(prefix) === 0) {
    throw new Error(
      'must not trust every address: visitors could then write any address they like into their requests',
    );
  }
  return value;
};

const parseDatabaseUrl = (value: string): string => {
  if (!/^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? '')) throw new Error('must be a postgres:// address');
  return value;
};

const defaultOrigins = ({ host, port }: Address, context: ConfigContext): string[] => {
  const hosts = WILDCARD_HOSTS.has(host) ? ['127.0.0.1', ...context.interfaceAddresses] : [host];
  if (hosts.includes('127.0.0.1') || hosts.includes('::1')) hosts.push('localhost');
  return [...new Set(hosts)].map((name) => new URL(`http://${hostInUrl(name)}:${port}`).origin);
};

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
}

const readEnvironment = (
  env: Readonly<Record<string, string | undefined>>,
  collector: ProblemCollector,
): Environment => {
  const values: Record<string, string> = {};
  for (const [name, schema] of Object.entries(environmentSchema.properties)) {
    const fallback = 'default' in schema && typeof schema.default === 'string' ? schema.default : '';
    // An empty variable counts as not set: that is what `SAC_X= make start` means.
    const value = env[name] === undefined || env[name] === '' ? fallback : env[name];
    const valid = Value.Check(schema, value);
    if (!valid) {
      const expected = 'expected' in schema && typeof schema.expected === 'string' ? schema.expected : 'shorter';
      collector.problems.push({ variable: name, problem: `must be ${expected}` });
    }
    values[name] = valid ? value : fallback;
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith('SAC_') && !Object.hasOwn(environmentSchema.properties, name)) {
      collector.problems.push({ variable: name, problem: 'is not a setting of this program; is it misspelt?' });
    }
  }
  return values as Environment; // every property of the schema was filled in above
};

const readKeys = (environment: Environment, collector: ProblemCollector): Keys | null => {
  const names = ['SAC_MASTER_KEY', 'SAC_ACCESS_TOKEN_KEYS', 'SAC_TERMINAL_TICKET_KEYS'] as const;
  if (names.every((name) => environment[name] === '')) return null;
  for (const name of names) {
    if (environment[name] === '')
      collector.problems.push({ variable: name, problem: 'is missing while the other keys are given' });
  }
  const signing = (name: (typeof names)[number]) =>
    environment[name] === '' ? null : collector.attempt(name, null, () => parseSigningKeys(environment[name]));
  const master = collector.attempt('SAC_MASTER_KEY', null, () =>
    environment.SAC_MASTER_KEY === '' ? null : parseKey(environment.SAC_MASTER_KEY),
  );
  const accessToken = signing('SAC_ACCESS_TOKEN_KEYS');
  const terminalTicket = signing('SAC_TERMINAL_TICKET_KEYS');
  return master && accessToken && terminalTicket ? { master, accessToken, terminalTicket } : null;
};

/** Reads the whole configuration. Throws one `ConfigError` that names every bad variable. */
export const loadConfig = (env: Readonly<Record<string, string | undefined>>, context: ConfigContext): Config => {
  const collector = new ProblemCollector();
  const values = readEnvironment(env, collector);
  const port = collector.attempt('SAC_PORT', 0, () => parsePort(values.SAC_PORT));
  const listen: Address = { host: values.SAC_HOST, port };
  const dataDir = values.SAC_DATA_DIR === '' ? join(context.homeDir, '.sac') : values.SAC_DATA_DIR;
  if (!isAbsolute(dataDir)) collector.problems.push({ variable: 'SAC_DATA_DIR', problem: 'must be an absolute path' });
  const nowhere: Address = { host: '', port: 0 };
  const config: Config = {
    version: context.version,
    listen,
    publicOrigins: collector.attempt('SAC_PUBLIC_URL', [], () => {
      const given = list(values.SAC_PUBLIC_URL).map(parseOrigin);
      return given.length > 0 ? given : defaultOrigins(listen, context);
    }),
    trustedProxies: collector.attempt('SAC_TRUSTED_PROXIES', [], () =>
      list(values.SAC_TRUSTED_PROXIES).map(parseTrustedProxy),
    ),
    logLevel: values.SAC_LOG_LEVEL,
    allowUnisolated: values.SAC_ALLOW_UNISOLATED === '1',
    demo: values.SAC_DEMO === '1',
    databasePoolSize: Math.max(1, Number(values.SAC_DATABASE_POOL)),
    dataDir,
    databaseUrl:
      values.SAC_DATABASE_URL === ''
        ? null
        : collector.attempt('SAC_DATABASE_URL', null, () => parseDatabaseUrl(values.SAC_DATABASE_URL)),
    internalListen: collector.attempt('SAC_INTERNAL_LISTEN', nowhere, () => parseAddress(values.SAC_INTERNAL_LISTEN)),
    wsListen: collector.attempt('SAC_WS_LISTEN', nowhere, () => parseAddress(values.SAC_WS_LISTEN)),
    keys: readKeys(values, collector),
  };
  if (collector.problems.length > 0) throw new ConfigError(collector.problems);
  return Object.freeze(config);
};
