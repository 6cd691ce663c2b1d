import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';

/**
 * Secrets at rest: AES-256-GCM with a random 96-bit nonce. The additional data binds a sealed value to its
 * place, so a row copied to another agent or name does not open.
 */
export interface SealedValue {
  readonly keyId: string;
  /** 12 bytes nonce, 16 bytes tag, ciphertext. */
  readonly sealed: Buffer;
}

export interface SealKey {
  readonly keyId: string;
  readonly key: Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** The sealing key is derived, so the master secret itself never encrypts anything. */
export const sealKeyFromMaster = (master: KeyObject, keyId = 'm1'): SealKey => {
  const { symmetricKeySize = 0 } = master;
  if (symmetricKeySize < KEY_BYTES)
    throw new Error(`The master secret has ${symmetricKeySize} bytes; at least ${KEY_BYTES} are needed.`);
  return { keyId, key: Buffer.from(hkdfSync('sha256', master, 'sac-seal', keyId, KEY_BYTES)) };
};

/** `place` names where the value is stored, e.g. agent uid and secret name; the same is needed to open it. */
const additionalData = (place: readonly string[]): Buffer => Buffer.from(JSON.stringify(place), 'utf8');

export const seal = (key: SealKey, place: readonly string[], plaintext: string): SealedValue => {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(place));
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return { keyId: key.keyId, sealed: Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]) };
};

/** Throws when the key is unknown, the place is another one, or a byte was changed. */
export const unseal = (keys: readonly SealKey[], place: readonly string[], value: SealedValue): string => {
  const key = keys.find((candidate) => candidate.keyId === value.keyId);
  if (!key) throw new Error(`A stored secret was sealed with key "${value.keyId}", which this server does not have.`);
  if (value.sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('A stored secret is shorter than its own header.');
  const decipher = createDecipheriv('aes-256-gcm', key.key, value.sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(additionalData(place));
  decipher.setAuthTag(value.sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const ciphertext = value.sealed.subarray(NONCE_BYTES + TAG_BYTES);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
};
