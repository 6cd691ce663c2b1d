import { createHash } from 'node:crypto';

/**
 * Names of the objects of one agent. They come from database ids alone: an id never changes, has no characters that
 * a name may not have, and two ids never give one name. Ids are at most 19 digits, so the longest name (pod and claim
 * of a StatefulSet included) stays below the 63 characters of a DNS label, and the StatefulSet's own below the 52 that
 * its revision label leaves.
 */
export interface AgentIds {
  readonly userId: string;
  readonly agentId: string;
}

const DATABASE_ID = /^[1-9][0-9]{0,18}$/;
const AGENT_UID = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const INSTALL_ID = /^[a-z0-9](?:[a-z0-9-]{0,34}[a-z0-9])?$/;

const checked = (what: string, value: string, pattern: RegExp): string => {
  if (!pattern.test(value)) throw new Error(`Not ${what}: ${JSON.stringify(value.slice(0, 80))}`);
  return value;
};

/** @throws when it is not the uid of an agent */
export const checkAgentUid = (agentUid: string): string => checked('an agent uid', agentUid, AGENT_UID);

/** @throws when it is not the id of an installation */
export const checkInstallId = (installId: string): string =>
  checked('an installation id (1 to 36 of a-z, 0-9 and inner -)', installId, INSTALL_ID);

/** Name of the StatefulSet, the Service and the Secret. @throws when an id is not one of the database */
export const objectName = ({ userId, agentId }: AgentIds): string =>
  `claude-code-${checked('a user id', userId, DATABASE_ID)}-${checked('an agent id', agentId, DATABASE_ID)}`;

/** Name of the volume claim template. */
export const HOME_CLAIM = 'home';

export const podNameOf = (name: string): string => `${name}-0`;
export const claimNameOf = (name: string): string => `${HOME_CLAIM}-${podNameOf(name)}`;

/** Name of the pod in the cluster's DNS, through its headless Service. */
export const podHostOf = (name: string, namespace: string, clusterDomain: string): string =>
  `${podNameOf(name)}.${name}.${namespace}.svc.${clusterDomain}`;

const weightOf = (agentId: string, namespace: string): bigint =>
  createHash('sha256').update(`${namespace}\0${agentId}`).digest().readBigUInt64BE(0);

/**
 * Namespace of a new agent: the one of highest weight. Another namespace in the list only takes agents from the others,
 * and never moves one between them.
 */
export const shardOf = (agentId: string, namespaces: readonly string[]): string => {
  const [first, ...others] = namespaces;
  if (first === undefined) throw new Error('No namespace for sandboxes is configured.');
  return others.reduce((best, name) => (weightOf(agentId, name) > weightOf(agentId, best) ? name : best), first);
};
