import { createSecretKey, randomUUID } from 'node:crypto';
import {
  INNER_AUDIENCE,
  TICKET_AUDIENCE,
  TICKET_TTL_SECONDS,
  type InnerClaims,
  type TerminalMode,
  type TicketClaims,
  type Upstream,
} from '@sac/contracts';
import jwt from 'jsonwebtoken';
import type { Keys } from '../../config/keys.ts';
import { terminalKey } from '../../lib/agent-keys.ts';

export interface TicketRequest {
  readonly userId: string;
  readonly userName: string;
  readonly sessionId: string;
  readonly authSessionId: string;
  readonly agentUid: string;
  readonly generation: number;
  readonly terminal: string;
  readonly mode: TerminalMode;
  readonly upstream: Upstream;
}

/**
 * One ticket, for one connection, for 30 seconds. The outer part is for ws-proxy; the inner one, signed with
 * a key that ws-proxy never has, is for the terminal server, which takes each `jti` once.
 */
export const signTicket = (
  request: TicketRequest,
  keys: Pick<Keys, 'master' | 'terminalTicket'>,
  nowMs: number,
): { token: string; expiresAt: Date } => {
  const issuedAt = Math.floor(nowMs / 1000);
  const times = { iat: issuedAt, exp: issuedAt + TICKET_TTL_SECONDS };
  const jti = randomUUID();
  const { userId: sub, agentUid, generation, terminal, mode } = request;
  const innerClaims: InnerClaims = { jti, sub, userName: request.userName, agentUid, generation, terminal, mode };
  const innerKey = createSecretKey(terminalKey(keys.master, agentUid, generation), 'utf8');
  const inner = jwt.sign({ ...innerClaims, ...times }, innerKey, {
    algorithm: 'HS256',
    audience: INNER_AUDIENCE,
  });
  const claims: TicketClaims = {
    jti,
    sub,
    session: request.sessionId,
    authSession: request.authSessionId,
    agentUid,
    generation,
    terminal,
    mode,
    upstream: request.upstream,
    inner,
  };
  const { kid, key } = keys.terminalTicket.current;
  const token = jwt.sign({ ...claims, ...times }, key, { algorithm: 'HS256', audience: TICKET_AUDIENCE, keyid: kid });
  return { token, expiresAt: new Date(times.exp * 1000) };
};
