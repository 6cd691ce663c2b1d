import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { SupervisorConfig } from '@sac/contracts';
import { INNER_UID, type Layout } from './layout.ts';

/**
 * Files of the machine that programs need; all public ones. Nothing else of /etc is shown: under bubblewrap
 * run by root, file permissions alone would not protect it.
 */
const sharedEtc = [
  'alternatives',
  'ca-certificates',
  'ca-certificates.conf',
  'crypto-policies',
  'debian_version',
  'fonts',
  'gai.conf',
  'host.conf',
  'hosts',
  'inputrc',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'localtime',
  'magic',
  'mime.types',
  'nsswitch.conf',
  'os-release',
  'pki/ca-trust',
  'pki/tls/certs',
  'protocols',
  'resolv.conf',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
];
const systemFolders = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

const systemArgs = (): string[] =>
  systemFolders.flatMap((name) => {
    const path = `/${name}`;
    if (!existsSync(path)) return [];
    return lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
  });

const namespaceArgs = (config: SupervisorConfig): string[] => {
  const common = [
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--die-with-parent',
    '--new-session',
    '--hostname',
    'agent',
    '--clearenv',
    '--cap-drop',
    'ALL',
  ];
  if (config.isolation.kind === 'separate-user') {
    // Only what `setpriv` needs to become another user; it drops these as well.
    return [...common, '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP'];
  }
  return ['--unshare-user', '--uid', String(INNER_UID), '--gid', String(INNER_UID), ...common];
};

const etcArgs = (layout: Layout): string[] => [
  ...sharedEtc.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
  ...['passwd', 'group', 'gitconfig'].flatMap((name) => ['--ro-bind', `${layout.host.etc}/${name}`, `/etc/${name}`]),
];

/** Folders above the given paths, outermost first. bubblewrap would make missing ones readable by root only. */
const foldersAbove = (paths: readonly string[]): string[] => {
  const folders = new Set(
    paths.flatMap((path) =>
      path
        .split('/')
        .slice(1, -1)
        .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
    ),
  );
  return [...folders].sort((left, right) => left.length - right.length);
};

const folderArgs = (config: SupervisorConfig, layout: Layout): string[] => {
  const { host } = layout;
  const targets = [
    '/home/agent',
    '/opt/sac/cli',
    '/opt/sac/node/bin/node',
    '/run/sac',
    '/var/tmp',
    '/etc/pki/tls/certs',
    '/etc/ssl/certs',
  ];
  const folders = foldersAbove([...targets, ...config.code.mounts.map(({ to }) => to)]).flatMap((path) => [
    '--perms',
    '0755',
    '--dir',
    path,
  ]);
  return [
    '--ro-bind',
    '/usr',
    '/usr',
    ...systemArgs(),
    ...folders,
    ...etcArgs(layout),
    '--perms',
    '1777',
    '--dir',
    '/var/tmp',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '1777',
    '--tmpfs',
    '/dev/shm',
    '--bind',
    host.temporary,
    '/tmp',
    '--bind',
    host.home,
    '/home/agent',
    '--bind',
    host.workspace,
    '/workspace',
    '--ro-bind',
    host.inside,
    '/run/sac',
    '--ro-bind',
    host.shared,
    '/run/sac/state',
    ...(config.cliDir === null ? [] : ['--ro-bind', config.cliDir, '/opt/sac/cli']),
    '--ro-bind',
    config.nodePath,
    '/opt/sac/node/bin/node',
    ...config.code.mounts.flatMap(({ from, to }) => ['--ro-bind', from, to]),
    '--remount-ro',
    '/',
    // The agent's own folders may be closed to us: its programs go there themselves.
    '--chdir',
    '/',
  ];
};

const handOver = (config: SupervisorConfig): string[] => {
  if (config.isolation.kind !== 'separate-user') return [];
  const { setprivPath, hostUid } = config.isolation;
  const id = String(hostUid);
  return [
    setprivPath,
    '--reuid',
    id,
    '--regid',
    id,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--no-new-privs',
    '--',
  ];
};

/**
 * Command line that runs `command` in the sandbox with exactly `env`. Everything in it is public: arguments
 * can be read by every user of the machine. `statusFd` receives bubblewrap's JSON status.
 */
export const bubblewrapArgs = (
  config: SupervisorConfig,
  layout: Layout,
  command: readonly string[],
  options: { env: Readonly<Record<string, string>>; statusFd: number | null },
): string[] => [
  ...(options.statusFd === null ? [] : ['--json-status-fd', String(options.statusFd)]),
  ...namespaceArgs(config),
  ...folderArgs(config, layout),
  ...Object.entries(options.env).flatMap(([name, value]) => ['--setenv', name, value]),
  '--',
  ...handOver(config),
  ...command,
];
