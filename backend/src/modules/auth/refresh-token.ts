import { createHmac, randomBytes } from 'node:crypto';
import { equalText, hashSecret } from '../../lib/secrets.ts';

/**
 * A refresh token belongs to a family (one browser session) and has a counter that grows with every
 * rotation. Cookie: `<family>.<counter>.<mac>`. The other half is a secret per family that lives in
 * localStorage, because cookies go to every port of a host.
 *
 * Both are derived from a server key instead of stored: so the same counter always gives the same token,
 * two tabs that refresh at once receive the same one, and the table holds nothing that opens a session.
 * The localStorage half does not rotate: a page that is closed between "cookie set" and "secret stored"
 * would otherwise lose its session.
 */
export interface RefreshToken {
  readonly family: string;
  readonly counter: number;
}

export const newFamily = (): string => randomBytes(24).toString('base64url');

export const familyHash = (family: string): Buffer => hashSecret(family);

const mac = (key: Buffer, text: string): string => createHmac('sha256', key).update(text).digest('base64url');

export const cookieValue = (key: Buffer, { family, counter }: RefreshToken): string =>
  `${family}.${counter}.${mac(key, `cookie:${family}:${counter}`)}`;

export const refreshSecret = (key: Buffer, family: string): string => mac(key, `secret:${family}`);

const cookiePattern = /^([A-Za-z0-9_-]{32})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})$/;

/** Null unless both halves were made by this server for the same family. */
export const parseRefreshToken = (key: Buffer, cookie: string, secret: string): RefreshToken | null => {
  const match = cookiePattern.exec(cookie);
  if (match === null) return null;
  const token = { family: match[1] ?? '', counter: Number(match[2]) };
  const genuine = equalText(cookie, cookieValue(key, token)) && equalText(secret, refreshSecret(key, token.family));
  return genuine ? token : null;
};
