import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { SandboxIsolation } from '@sac/contracts';
import type { Isolation } from '../runtime.ts';
import { lostMount } from '../../lib/lost-mount.ts';
import { runCommand } from './run-command.ts';

const PROBE_TIMEOUT_MS = 10_000;
/** Beside programs that mount and unmount, as those for containers do. */
const PROBES = 5;
const SEARCH = ['/usr/bin', '/usr/local/bin', '/bin', '/usr/sbin', '/run/current-system/sw/bin'];
/** Ids that no user of the machine has: high ones, else a gap below `nobody` for machines with few ids. */
const HIGH_UIDS = { first: 1_790_967_808, count: 2 ** 24 };
const LOW_UIDS = { first: 61_200, count: 3_000 };

/** How sandboxes are isolated on this machine, and what makes the configuration of one. */
export interface LocalIsolation {
  readonly view: Isolation;
  configFor(agentUid: string): SandboxIsolation;
}

const findProgram = (name: string, folders: readonly string[]): string | null => {
  for (const folder of folders) {
    try {
      accessSync(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch {
      // Look further.
    }
  }
  return null;
};

interface UidRange {
  readonly first: number;
  readonly count: number;
}

/** User ids that exist in our own user namespace: all, unless the server runs in a rootless container. */
const mappedUids = async (): Promise<UidRange[]> => {
  const text = await readFile('/proc/self/uid_map', 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
      return { first, count };
    });
};

const contains = (ranges: readonly UidRange[], { first, count }: UidRange): boolean =>
  ranges.some((range) => first >= range.first && first + count <= range.first + range.count);

const uidIn = ({ first, count }: UidRange, agentUid: string): number =>
  first + (createHash('sha256').update(agentUid).digest().readUInt32BE(0) % count);

const none = (reason: string, fix: string): LocalIsolation => ({
  view: { isolated: false, reason, fix },
  configFor: () => ({ kind: 'none' }),
});

/** Before `start`: nothing is claimed that was not tried. */
export const notProbed: LocalIsolation = none(
  'Isolation has not been tried yet.',
  'Wait until the server has started.',
);

/** One real run with the namespaces and the hand-over that sandboxes get. */
const tryOut = async (isolation: SandboxIsolation): Promise<string | null> => {
  if (isolation.kind === 'none') return null;
  const common = [
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
  ];
  const view = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--'];
  const args =
    isolation.kind === 'user-namespace'
      ? [
          '--unshare-user',
          '--uid',
          '1000',
          '--gid',
          '1000',
          ...common,
          ...view,
          '/bin/sh',
          '-c',
          'test "$(id -u)" = 1000',
        ]
      : [
          ...common,
          ...['SETUID', 'SETGID', 'SETPCAP'].flatMap((name) => ['--cap-add', `CAP_${name}`]),
          ...view,
          isolation.setprivPath,
          '--reuid',
          String(isolation.hostUid),
          '--regid',
          String(isolation.hostUid),
          '--clear-groups',
          '--inh-caps=-all',
          '--bounding-set=-all',
          '--no-new-privs',
          '--',
          '/bin/sh',
          '-c',
          `test "$(id -u)" = ${isolation.hostUid}`,
        ];
  for (let attempt = 1; ; attempt += 1) {
    const { problem, output } = await runCommand({
      command: isolation.bwrapPath,
      args,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      timeoutMs: PROBE_TIMEOUT_MS,
      signal: new AbortController().signal,
    });
    if (problem === null) return null;
    if (attempt === PROBES || !lostMount(output)) return `${output} (${problem})`.trim();
  }
};

const KERNEL_FIX =
  'Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 and, on Ubuntu, kernel.apparmor_restrict_unprivileged_userns=0), in a container also the system calls for them; then restart the server.';

/**
 * Finds out by trying whether sandboxes can be isolated. Run by root, processes of a sandbox become another
 * user instead of entering a user namespace: there they would still be root to the kernel, which lets root
 * change system settings whatever its capabilities are. `folders` are where programs are looked for: never the
 * PATH, which whoever starts the server may have filled with folders of others.
 */
export const probeIsolation = async (folders: readonly string[] = SEARCH): Promise<LocalIsolation> => {
  if (process.platform !== 'linux')
    return none(`Sandboxes cannot be isolated on ${process.platform}.`, 'Run the server on Linux.');
  const bwrapPath = findProgram('bwrap', folders);
  if (bwrapPath === null)
    return none(
      'bubblewrap is not installed, so sandboxes cannot be isolated from the server.',
      'Install it (apt-get install bubblewrap, dnf install bubblewrap), then restart the server.',
    );
  const isRoot = process.getuid?.() === 0;
  const setprivPath = findProgram('setpriv', folders);
  let configFor: (agentUid: string) => SandboxIsolation = () => ({ kind: 'user-namespace', bwrapPath });
  if (isRoot) {
    const ranges = await mappedUids();
    const range = [HIGH_UIDS, LOW_UIDS].find((candidate) => contains(ranges, candidate));
    if (setprivPath === null)
      return none(
        'setpriv is not installed, so sandboxes cannot be separated from the root user.',
        'Install util-linux, or run the server as an ordinary user.',
      );
    if (range === undefined)
      return none(
        'This machine has no spare user ids to run sandboxes with.',
        'Run the server as an ordinary user instead of root.',
      );
    configFor = (agentUid) => ({ kind: 'separate-user', bwrapPath, setprivPath, hostUid: uidIn(range, agentUid) });
  }
  const problem = await tryOut(configFor('probe'));
  if (problem !== null) return none(`bubblewrap does not work on this machine: ${problem}`.slice(0, 500), KERNEL_FIX);
  return { view: { isolated: true, reason: null, fix: null }, configFor };
};
