import { isReservedEnvName } from '@sac/contracts';
import type { ProfilePaths, ProfileSpec } from './profile.ts';

/** Marks every process of a sandbox, so that without bubblewrap its strays can be found and ended. */
export const SANDBOX_MARKER = 'SAC_SANDBOX';

const definedOnly = (values: Record<string, string | null>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null));

const proxyEnvironment = ({ httpProxy, httpsProxy, noProxy }: ProfileSpec['proxy']): Record<string, string> =>
  definedOnly({
    HTTP_PROXY: httpProxy,
    http_proxy: httpProxy,
    HTTPS_PROXY: httpsProxy,
    https_proxy: httpsProxy,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
  });

const dirname = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

/** Search path of everything in the sandbox: our Node, the CLI, then the machine's tools. */
const searchPath = (paths: ProfilePaths): string =>
  [
    `${paths.home}/.local/bin`,
    dirname(paths.nodePath),
    ...(paths.cliDir === null ? [] : [`${paths.cliDir}/node_modules/.bin`]),
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
  ].join(':');

/**
 * Environment of every process the agent runs, built from nothing: only what is listed here and what the
 * user set for the agent. Reserved names are refused when an agent is saved; they are dropped here as well.
 */
export const baseEnvironment = (spec: ProfileSpec, paths: ProfilePaths, marker: string): Record<string, string> => {
  const userVariables = spec.environment.filter(({ name }) => !isReservedEnvName(name));
  return {
    ...(paths.runtime === null ? {} : { XDG_RUNTIME_DIR: paths.runtime }),
    ...Object.fromEntries(userVariables.map(({ name, value }) => [name, value])),
    ...proxyEnvironment(spec.proxy),
    [SANDBOX_MARKER]: marker,
    HOME: paths.home,
    USER: 'agent',
    LOGNAME: 'agent',
    SHELL: '/bin/bash',
    PATH: searchPath(paths),
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    COLORTERM: 'truecolor',
    TMPDIR: paths.temporary,
  };
};
