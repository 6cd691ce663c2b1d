import type { KeyObject } from 'node:crypto';
import { TICKET_AUDIENCE, TICKET_TTL_SECONDS, TicketClaims } from '@sac/contracts';
import jwt from 'jsonwebtoken';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { RefusedError } from '../lib/refusal.ts';

const CLOCK_TOLERANCE_SECONDS = 5;
const KeyHeader = Compile(Type.Object({ alg: Type.Literal('HS256'), kid: Type.String() }));
const VerifiedTicketSchema = Type.Intersect([TicketClaims, Type.Object({ exp: Type.Number() })]);
const VerifiedTicketCheck = Compile(VerifiedTicketSchema);
export type VerifiedTicket = Static<typeof VerifiedTicketSchema>;

const invalid = (message: string, cause?: unknown): RefusedError =>
  new RefusedError({ code: 'ticket_invalid', message: `${message} Ask for a new one.` }, { cause });

/** Until when a ticket could be accepted again, the tolerated clock difference included. */
export const forgettableAtMs = (ticket: VerifiedTicket): number => (ticket.exp + CLOCK_TOLERANCE_SECONDS) * 1000;

const verifySignature = (token: string, key: KeyObject, nowMs: number): unknown => {
  try {
    return jwt.verify(token, key, {
      algorithms: ['HS256'],
      audience: TICKET_AUDIENCE,
      clockTimestamp: Math.floor(nowMs / 1000),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      // A ticket that claims a longer life than tickets have is not one of ours, whoever signed it.
      maxAge: TICKET_TTL_SECONDS,
    });
  } catch (error) {
    if (error instanceof jwt.TokenExpiredError) throw invalid('The ticket has expired.', error);
    throw invalid('The ticket is not valid.', error);
  }
};

/** Checks signature, audience, life at `nowMs` and claims. Throws `RefusedError`; says nothing about earlier use. */
export const verifyTicket = (
  token: string,
  sessionId: string,
  keys: ReadonlyMap<string, KeyObject>,
  nowMs: number,
): VerifiedTicket => {
  const header: unknown = jwt.decode(token, { complete: true })?.header;
  const key = KeyHeader.Check(header) ? keys.get(header.kid) : undefined;
  if (key === undefined) throw invalid('The ticket was not issued by this installation.');
  const claims = verifySignature(token, key, nowMs);
  if (!VerifiedTicketCheck.Check(claims)) throw invalid('The ticket lacks a claim.');
  if (claims.session !== sessionId) throw invalid('The ticket is for another session.');
  return claims;
};
