import { createHash, createHmac, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';

/** 256 random bits, base64url: 43 characters. */
export const randomSecret = (): string => randomBytes(32).toString('base64url');

/** For secrets of full entropy: a fast hash suffices, and a leaked table gives nothing away. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret, 'utf8').digest();

/** A key of its own per purpose, so that no two uses of the master key ever meet. */
export const deriveKey = (master: KeyObject, purpose: string): Buffer =>
  createHmac('sha256', master).update(`sac:${purpose}`).digest();

/** Compares in a time that does not depend on where the texts differ; their lengths are no secret. */
export const equalText = (left: string, right: string): boolean => {
  const a = Buffer.from(left, 'utf8');
  const b = Buffer.from(right, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
};
