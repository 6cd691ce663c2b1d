import { createSecretKey, type KeyObject } from 'node:crypto';

/**
 * One HMAC key with the id that goes into the `kid` header of what it signs. A key object: from bytes the library first tries
 * to make a key of another kind, at ten times the cost of the signature.
 */
export interface SigningKey {
  readonly kid: string;
  readonly key: KeyObject;
}

/** `current` signs; every key in `all` (which holds `current`) is accepted, so that keys can be rotated without signing everyone out. */
export interface SigningKeys {
  readonly current: SigningKey;
  readonly all: readonly SigningKey[];
}

export interface Keys {
  readonly accessToken: SigningKeys;
  readonly terminalTicket: SigningKeys;
  /**
   * Seals secrets in the database and derives the keys of each agent. Losing it loses every stored provider token. A
   * key object: made once, an HMAC with it costs a sixth, and printing it shows nothing.
   */
  readonly master: KeyObject;
}

export const KEY_MIN_BYTES = 32;
const KID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;

/** What an operator pastes is seldom raw text: base64, base64url and hex all come as printable characters, so the bytes of the text itself are the key. */
export const parseKey = (text: string): Buffer => {
  const key = Buffer.from(text.trim(), 'utf8');
  if (key.length < KEY_MIN_BYTES) {
    throw new Error(
      `is ${key.length} bytes long; at least ${KEY_MIN_BYTES} are needed. Make one with: openssl rand -base64 48`,
    );
  }
  if (new Set(key).size < 8) {
    throw new Error('repeats a few characters only and can be guessed. Make one with: openssl rand -base64 48');
  }
  return key;
};

/** Throws an Error whose message completes "<VARIABLE> …" and never holds the key. */
export const parseMasterKey = (text: string): KeyObject => createSecretKey(parseKey(text));

/**
 * Reads `kid:key` pairs separated by commas, the signing one first. A single key without `kid:` gets the id `1`.
 * Throws an Error whose message completes "<VARIABLE> …" and never holds the key.
 */
export const parseSigningKeys = (text: string): SigningKeys => {
  const all = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): SigningKey => {
      const colon = part.indexOf(':');
      const kid = colon === -1 ? '1' : part.slice(0, colon);
      if (!KID_PATTERN.test(kid)) throw new Error('has a key id that is not 1 to 32 letters, digits, - or _');
      return { kid, key: createSecretKey(parseKey(part.slice(colon + 1))) };
    });
  const [current] = all;
  if (current === undefined) throw new Error('is empty');
  if (new Set(all.map((entry) => entry.kid)).size !== all.length) throw new Error('uses the same key id twice');
  return { current, all };
};
