import { Type, type Static } from 'typebox';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const text = (options: { default: string; description: string; pattern?: string; expected?: string }) =>
  Type.String({ maxLength: 4000, ...options });
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
  SAC_MASTER_KEY: text({ default: '', description: 'Seals stored secrets; at least 32 bytes' }),
  SAC_ACCESS_TOKEN_KEYS: text({ default: '', description: 'kid:key[,kid:key…]; the first signs access tokens' }),
  SAC_TERMINAL_TICKET_KEYS: text({ default: '', description: 'kid:key[,kid:key…]; the first signs terminal tickets' }),
  SAC_INTERNAL_LISTEN: text({
    default: '127.0.0.1:8082',
    description: 'host:port the sandboxes report to; sac uses a unix socket instead',
  }),
  SAC_WS_LISTEN: text({ default: '127.0.0.1:8081', description: 'host:port of a stand-alone ws-proxy' }),
});

export type Environment = Static<typeof environmentSchema>;
export type VariableName = keyof Environment;
