import { Type, type Static } from 'typebox';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const text = (options: {
  default: string;
  description: string;
  pattern?: string;
  expected?: string;
  maxLength?: number;
}) => Type.String({ maxLength: 4000, ...options });
const flag = (description: string) =>
  Type.Union([Type.Literal('0'), Type.Literal('1')], { default: '0', expected: '0 or 1', description });
const number = (defaultValue: string, description: string) =>
  text({ default: defaultValue, pattern: '^[0-9]{1,6}$', expected: 'a whole number', description });

/**
 * Every environment variable of the product, with its default and meaning. Nothing else is read from the
 * environment, and only entrypoints read it. `expected` completes the sentence "must be …".
 */
export const environmentSchema = Type.Object({
  SAC_HOST: text({
    default: '127.0.0.1',
    description: 'Address to listen on; anything but a loopback address can be reached from the network',
  }),
  SAC_PORT: number('8080', 'TCP port of the site; 0 takes any free one'),
  SAC_DATA_DIR: text({ default: '', description: 'Everything this installation keeps; default ~/.sac' }),
  SAC_UPLOADS_SIZE: text({
    default: '',
    description: 'Room for uploads on their way, such as 2Gi, of which nine tenths are used; default: as the disk has',
  }),
  SAC_PUBLIC_URL: text({
    default: '',
    description:
      'Addresses people open, separated by commas; the first goes into links. Default: the listening address',
  }),
  SAC_TRUSTED_PROXIES: text({
    default: '',
    description: 'Addresses or CIDR ranges of reverse proxies whose X-Forwarded-For is believed, separated by commas',
  }),
  SAC_LOG_LEVEL: Type.Union(
    logLevels.map((level) => Type.Literal(level)),
    { default: 'info', expected: `one of ${logLevels.join(', ')}`, description: 'Least severe level that is logged' },
  ),
  SAC_ALLOW_UNISOLATED: flag('1: everybody may run agents although this machine cannot isolate them'),
  SAC_DEMO: flag('1: start the scripted model server, so that everything can be tried without a model key'),
  SAC_DATABASE_URL: text({
    default: '',
    description: 'postgres:// address for api-gateway and migrate; sac brings its own database',
  }),
  SAC_DATABASE_POOL: number('10', 'Most database connections of one process'),
  SAC_DATABASE_WAIT_SECONDS: number('60', 'How long api-gateway and migrate wait at the start for the database'),
  SAC_MASTER_KEY: text({ default: '', description: 'Seals stored secrets; at least 32 bytes' }),
  SAC_ACCESS_TOKEN_KEYS: text({ default: '', description: 'kid:key[,kid:key…]; the first signs access tokens' }),
  SAC_TERMINAL_TICKET_KEYS: text({ default: '', description: 'kid:key[,kid:key…]; the first signs terminal tickets' }),
  SAC_INTERNAL_LISTEN: text({
    default: '127.0.0.1:8082',
    description: 'host:port the sandboxes report to; sac uses a unix socket instead',
  }),
  SAC_METRICS_LISTEN: text({ default: '', description: 'host:port of metrics without sign-in, in a cluster' }),
  SAC_WS_LISTEN: text({ default: '127.0.0.1:8081', description: 'host:port of a stand-alone ws-proxy' }),
  SAC_WS_PROXY_CREDENTIAL: text({
    default: '',
    description: 'what a stand-alone ws-proxy shows api-gateway; at least 32 bytes',
  }),
  SAC_INTERNAL_URL: text({
    default: '',
    pattern: '^(https?://[A-Za-z0-9.:_\\[\\]-]{1,250})?$',
    expected: 'an http:// address without a path, for example http://sac-api-gateway-internal.sac.svc:8082',
    description: 'where sandboxes and a stand-alone ws-proxy find the internal listener of api-gateway',
  }),
  SAC_POD_IP: text({ default: '', description: 'address under which other replicas of api-gateway reach this one' }),
  SAC_KUBERNETES_NAMESPACES: text({ default: '', description: 'namespaces of sandboxes, in the order of the shards' }),
  SAC_INSTALL_ID: text({
    default: '',
    pattern: '^([a-z0-9]([a-z0-9-]{0,34}[a-z0-9])?)?$',
    expected: '1 to 36 lower case letters, digits and inner dashes',
    description: 'what tells the objects of this installation from those of others; never changes',
  }),
  SAC_AGENT_IMAGE: text({ default: '', description: 'image of sandboxes, with tag or digest' }),
  SAC_AGENT_IMAGE_PULL_SECRETS: text({ default: '', description: 'names of Secrets, separated by commas' }),
  SAC_AGENT_CLIS: text({ default: 'claude-code', description: 'CLIs the image of sandboxes has' }),
  SAC_CLUSTER_DOMAIN: text({
    default: 'cluster.local',
    pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$',
    expected: 'a DNS domain',
    description: 'DNS domain of the cluster',
  }),
  SAC_AGENT_POD: text({ default: '{}', maxLength: 16_000, description: 'JSON: what the pods of sandboxes are like' }),
  SAC_AGENT_LIMITS: text({ default: '{}', description: 'JSON: the most one agent may get' }),
  SAC_AGENT_IMAGES: text({
    default: '',
    maxLength: 16_000,
    description: 'images that may be chosen for an agent, separated by commas; * at the end allows all that begin so',
  }),
  SAC_AGENT_RUNTIME_CLASSES: text({ default: '', description: 'runtime classes that may be chosen for an agent' }),
  SAC_OUTBOUND_DENY: text({ default: '', description: 'CIDR ranges the connection test of a provider never goes to' }),
  SAC_OUTBOUND_ALLOW: text({ default: '', description: 'CIDR ranges it goes to although they are denied' }),
});

export type Environment = Static<typeof environmentSchema>;
export type VariableName = keyof Environment;

/** May also be given as `<NAME>_FILE`, so that they need not be in the description of a process. */
export const secretVariables = [
  'SAC_DATABASE_URL',
  'SAC_MASTER_KEY',
  'SAC_ACCESS_TOKEN_KEYS',
  'SAC_TERMINAL_TICKET_KEYS',
  'SAC_WS_PROXY_CREDENTIAL',
] as const satisfies readonly VariableName[];

const internal = ['SAC_PUBLIC_URL', 'SAC_TERMINAL_TICKET_KEYS', 'SAC_WS_PROXY_CREDENTIAL', 'SAC_INTERNAL_URL'] as const;

/** What each process cannot do without. `sac` makes for itself what is not given. */
export const neededVariables = {
  sac: [],
  migrate: ['SAC_DATABASE_URL'],
  'ws-proxy': internal,
  'api-gateway': [
    'SAC_DATABASE_URL',
    'SAC_MASTER_KEY',
    'SAC_ACCESS_TOKEN_KEYS',
    ...internal,
    'SAC_KUBERNETES_NAMESPACES',
    'SAC_INSTALL_ID',
    'SAC_AGENT_IMAGE',
  ],
} as const satisfies Record<string, readonly VariableName[]>;
export type ProcessName = keyof typeof neededVariables;
