import jwt from 'jsonwebtoken';
import type { SigningKeys } from '../../config/keys.ts';
import { AppError } from '../../lib/app-error.ts';

export const ACCESS_TOKEN_TTL_SECONDS = 15 * 60;
const AUDIENCE = 'sac-api';
const ISSUER = 'sac';
const MAX_TOKEN_CHARACTERS = 2_048;

/** What the token states; whether it still holds is asked of the database on every request. */
export interface AccessClaims {
  readonly userId: string;
  readonly authSessionId: string;
  readonly tokenVersion: number;
  readonly expiresAt: Date;
}

export const signAccessToken = (
  keys: SigningKeys,
  claims: Omit<AccessClaims, 'expiresAt'>,
  now: Date,
): { readonly token: string; readonly expiresAt: Date } => {
  const issuedAtSeconds = Math.floor(now.getTime() / 1000);
  const expiresAtSeconds = issuedAtSeconds + ACCESS_TOKEN_TTL_SECONDS;
  const payload = {
    sub: claims.userId,
    sid: claims.authSessionId,
    tv: claims.tokenVersion,
    aud: AUDIENCE,
    iss: ISSUER,
    iat: issuedAtSeconds,
    exp: expiresAtSeconds,
  };
  const token = jwt.sign(payload, keys.current.key, { algorithm: 'HS256', keyid: keys.current.kid });
  return { token, expiresAt: new Date(expiresAtSeconds * 1000) };
};

const unauthenticated = (): AppError =>
  new AppError('unauthenticated', 'The access token is not valid or has expired. Sign in again.');

const idPattern = /^[1-9][0-9]{0,17}$/;

/** Throws AppError `unauthenticated` for anything but a current token of ours. */
export const verifyAccessToken = (keys: SigningKeys, token: string, now: Date): AccessClaims => {
  if (token.length > MAX_TOKEN_CHARACTERS) throw unauthenticated();
  let payload: string | jwt.JwtPayload;
  try {
    // `decode` throws on a payload that is not JSON, although it verifies nothing.
    const kid = jwt.decode(token, { complete: true })?.header.kid;
    const key = keys.all.find((candidate) => candidate.kid === kid)?.key;
    if (key === undefined) throw unauthenticated();
    payload = jwt.verify(token, key, {
      algorithms: ['HS256'],
      audience: AUDIENCE,
      issuer: ISSUER,
      clockTimestamp: Math.floor(now.getTime() / 1000),
    });
  } catch {
    throw unauthenticated();
  }
  if (typeof payload === 'string') throw unauthenticated();
  const { sub, sid, tv, exp } = payload as Record<string, unknown>;
  const valid =
    typeof sub === 'string' &&
    idPattern.test(sub) &&
    typeof sid === 'string' &&
    idPattern.test(sid) &&
    typeof tv === 'number' &&
    typeof exp === 'number';
  if (!valid) throw unauthenticated();
  return { userId: sub, authSessionId: sid, tokenVersion: tv, expiresAt: new Date(exp * 1000) };
};
