import { createSecretKey, type KeyObject } from 'node:crypto';
import { closeCodes, INNER_AUDIENCE, type InnerClaims } from '@sac/contracts';
import jsonwebtoken from 'jsonwebtoken';
import type { LaunchSpec } from '../launch-spec.ts';
import { bounds } from './constants.ts';

export type TokenResult =
  | { readonly ok: true; readonly claims: InnerClaims }
  | { readonly ok: false; readonly closeCode: number; readonly reason: string };

const refused = (closeCode: number, reason: string): TokenResult => ({ ok: false, closeCode, reason });

const TERMINAL_NAME = /^(main|shell-[1-9][0-9]?)$/;
const MAX_NAME_CHARACTERS = 256;
/** No token passes for longer than this, however long it says it lives. */
const REMEMBERED_MS = (bounds.tokenLifetimeSeconds + 2 * bounds.clockToleranceSeconds) * 1_000;
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_CHARACTERS;

interface Lifetime {
  readonly expiresAtSeconds: number;
}

const claimsOf = (payload: string | jsonwebtoken.JwtPayload): (InnerClaims & Lifetime) | null => {
  if (typeof payload === 'string') return null;
  const { jti, sub, exp } = payload;
  const { userName, agentUid, generation, terminal, mode } = payload as Readonly<Record<string, unknown>>;
  if (!isText(jti) || !isText(sub) || !isText(userName) || !isText(agentUid) || typeof exp !== 'number') return null;
  if (typeof generation !== 'number' || !isText(terminal) || !TERMINAL_NAME.test(terminal)) return null;
  if (mode !== 'control' && mode !== 'view') return null;
  return { jti, sub, userName, agentUid, generation, terminal, mode, expiresAtSeconds: exp };
};

/** Checks inner tokens; every token opens one connection. The key stays in this object. */
export class InnerTokens {
  readonly #spec: Pick<LaunchSpec, 'agentUid' | 'generation'>;
  readonly #key: KeyObject;
  /** Used token id → when it was used. By the clock that never steps: the other one may come past a moment twice. */
  readonly #used = new Map<string, number>();

  constructor(spec: Pick<LaunchSpec, 'agentUid' | 'generation' | 'terminalKey'>) {
    this.#spec = { agentUid: spec.agentUid, generation: spec.generation };
    this.#key = createSecretKey(spec.terminalKey, 'utf8');
  }

  /** Takes the value of an `Authorization` header. A token that passes is used up. */
  redeem(authorization: string | undefined): TokenResult {
    const token = /^Bearer ([\w.~+/-]+=*)$/.exec(authorization ?? '')?.[1];
    if (token === undefined) return refused(closeCodes.ticket, 'a token is needed: Authorization: Bearer');
    const claims = this.#verify(token);
    if (claims === null)
      return refused(closeCodes.ticket, 'the token is not valid or has expired; ask for a new ticket');
    if (claims.agentUid !== this.#spec.agentUid) return refused(closeCodes.ticket, 'the token is for another agent');
    if (claims.generation !== this.#spec.generation) {
      return refused(
        closeCodes.generationReplaced,
        `the token is for start ${claims.generation} of the sandbox, this is ${this.#spec.generation}`,
      );
    }
    return this.#use(claims);
  }

  #verify(token: string): (InnerClaims & Lifetime) | null {
    try {
      const payload = jsonwebtoken.verify(token, this.#key, {
        algorithms: ['HS256'],
        audience: INNER_AUDIENCE,
        clockTolerance: bounds.clockToleranceSeconds,
      });
      return claimsOf(payload);
    } catch {
      return null;
    }
  }

  #use(claims: InnerClaims & Lifetime): TokenResult {
    const now = Date.now() / 1_000;
    if (claims.expiresAtSeconds > now + bounds.tokenLifetimeSeconds + bounds.clockToleranceSeconds) {
      return refused(closeCodes.ticket, `the token lives longer than ${bounds.tokenLifetimeSeconds} s`);
    }
    const nowMs = performance.now();
    for (const [jti, usedAtMs] of this.#used) {
      if (nowMs - usedAtMs < REMEMBERED_MS) break;
      this.#used.delete(jti);
    }
    if (this.#used.has(claims.jti))
      return refused(closeCodes.ticket, 'the token was used before; ask for a new ticket');
    if (this.#used.size >= bounds.usedTokens)
      return refused(
        closeCodes.tryLater,
        `more than ${bounds.usedTokens} connections within ${bounds.tokenLifetimeSeconds} s`,
      );
    this.#used.set(claims.jti, nowMs);
    const { expiresAtSeconds: _, ...inner } = claims;
    return { ok: true, claims: inner };
  }
}
