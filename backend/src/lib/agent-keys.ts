import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';

/**
 * Keys of one sandbox, derived from the master secret, the agent's uid and its generation: nothing to store,
 * and a replaced sandbox's keys are worthless by themselves.
 */
const mac = (master: KeyObject, purpose: 'terminal' | 'internal', agentUid: string, generation: number): string =>
  createHmac('sha256', master).update(`${purpose}:${agentUid}:${generation}`).digest('base64url');

/** Signs the inner terminal tokens of one generation. */
export const terminalKey = (master: KeyObject, agentUid: string, generation: number): string =>
  mac(master, 'terminal', agentUid, generation);

/** Bearer credential of one generation's sidecar for the internal listener. */
export const internalCredential = (master: KeyObject, agentUid: string, generation: number): string =>
  `${agentUid}.${generation}.${mac(master, 'internal', agentUid, generation)}`;

export interface CredentialClaims {
  readonly agentUid: string;
  readonly generation: number;
}

const CREDENTIAL = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})$/;

/** Who a credential speaks for, or null when it is not one of ours. Says nothing about the generation being current. */
export const verifyInternalCredential = (master: KeyObject, credential: string): CredentialClaims | null => {
  const [, agentUid, generationText, given] = CREDENTIAL.exec(credential) ?? [];
  if (agentUid === undefined || generationText === undefined || given === undefined) return null;
  const generation = Number(generationText);
  const expected = Buffer.from(mac(master, 'internal', agentUid, generation), 'utf8');
  const offered = Buffer.from(given, 'utf8');
  return expected.length === offered.length && timingSafeEqual(expected, offered) ? { agentUid, generation } : null;
};

/** Keyed digest of a configuration: equal configurations have equal digests, and secrets in it cannot be guessed from it. */
export const keyedDigest = (master: KeyObject, purpose: string, value: unknown): string =>
  createHmac('sha256', master).update(`${purpose}:`).update(canonicalJson(value)).digest('base64url');

/** JSON with sorted keys: jsonb does not keep the order of keys. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)))
      : inner,
  );
