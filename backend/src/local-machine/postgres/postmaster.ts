import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, type ProcessIdentity } from '../process-identity.ts';

const pidFileOf = (clusterDir: string): string => join(clusterDir, 'postmaster.pid');

/** 0 when there is none. */
const writtenPid = (clusterDir: string): number => {
  const pidFile = pidFileOf(clusterDir);
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
  return Number.isInteger(pid) && pid > 0 ? pid : 0;
};

/** The postmaster of a cluster, if there is one. A pid file alone proves nothing: pids are used again. */
export const postmasterOf = (clusterDir: string): ProcessIdentity | null => {
  const pid = writtenPid(clusterDir);
  const identity = pid === 0 ? null : identityOf(pid);
  if (identity === null) return null;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(clusterDir) ? identity : null;
  } catch {
    return null;
  }
};

/**
 * PostgreSQL heals the pid file of a dead server itself, but takes any living process with that pid for a server.
 * The file stays otherwise: it also guards against children of a killed server that are still writing. The caller
 * knows that no postmaster of this cluster runs.
 */
export const removeForeignPid = (clusterDir: string): void => {
  const pid = writtenPid(clusterDir);
  if (pid > 0 && identityOf(pid) !== null) rmSync(pidFileOf(clusterDir), { force: true });
};
