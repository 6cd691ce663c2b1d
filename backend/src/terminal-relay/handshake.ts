import { SUBPROTOCOL } from '@sac/contracts';
import type { UpgradeRequest } from './messages.ts';
import { RefusedError } from '../lib/refusal.ts';

const PATH = /^\/ws\/([A-Za-z0-9_-]{1,64})$/;
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_TOKEN_CHARACTERS = 8_192;

/** The parts of a handshake that matter to the relay; nothing else of the request goes on. */
export interface Handshake {
  readonly sessionId: string;
  readonly token: string;
  readonly origin: string | null;
  readonly key: string;
}

/** Path without query: the query holds the ticket and stays out of logs and messages. */
export const pathOf = (url: string): string => (url.split(/[?#]/, 1)[0] ?? '').slice(0, 200);

const singleHeader = (rawHeaders: readonly string[], name: string): string | null => {
  let found: string | null = null;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== name) continue;
    if (found !== null)
      throw new RefusedError({ code: 'invalid_request', message: `The header ${name} is given twice.` });
    found = rawHeaders[index + 1] ?? '';
  }
  return found;
};

const listHas = (value: string | null, wanted: string): boolean =>
  (value ?? '').split(',').some((entry) => entry.trim().toLowerCase() === wanted);

const requireHeader = (valid: boolean, message: string): void => {
  if (!valid) throw new RefusedError({ code: 'invalid_request', message });
};

const readToken = (url: string): string => {
  const tokens = new URLSearchParams(url.slice(url.indexOf('?') + 1)).getAll('token');
  const [token] = tokens;
  if (!url.includes('?') || token === undefined) {
    throw new RefusedError({
      code: 'unauthenticated',
      message: 'The ticket is missing; ask for one at POST /api/sessions/:id/terminals/:name/ticket.',
    });
  }
  if (tokens.length > 1 || token.length > MAX_TOKEN_CHARACTERS || !TOKEN.test(token)) {
    throw new RefusedError({ code: 'ticket_invalid', message: 'The ticket is malformed; ask for a new one.' });
  }
  return token;
};

/** Reads and checks everything about a handshake that needs no key. Throws `RefusedError`. */
export const readHandshake = (request: UpgradeRequest): Handshake => {
  const [, sessionId] = PATH.exec(pathOf(request.url)) ?? [];
  if (sessionId === undefined)
    throw new RefusedError({
      code: 'not_found',
      message: 'There is no WebSocket here; terminals are at /ws/:sessionId.',
    });
  const header = (name: string) => singleHeader(request.rawHeaders, name);
  requireHeader(
    request.method === 'GET' && request.httpVersion === '1.1',
    'A WebSocket handshake is a GET request with HTTP/1.1.',
  );
  requireHeader(
    listHas(header('upgrade'), 'websocket') && listHas(header('connection'), 'upgrade'),
    'This address speaks WebSocket: the Upgrade and Connection headers are missing.',
  );
  requireHeader(header('sec-websocket-version') === '13', 'Only WebSocket version 13 is spoken here.');
  const key = header('sec-websocket-key') ?? '';
  requireHeader(KEY.test(key), 'Sec-WebSocket-Key is not 16 bytes in base64.');
  requireHeader(listHas(header('sec-websocket-protocol'), SUBPROTOCOL), `Offer the subprotocol "${SUBPROTOCOL}".`);
  return { sessionId, token: readToken(request.url), origin: header('origin'), key };
};

/** Parsed origin (`https://host:port`, default port left out), or null when the text is none. */
export const parseOrigin = (text: string): string | null => {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return null;
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return bare ? url.origin : null;
};

/** A missing Origin is refused too: every browser sends one, and tools can. */
export const checkOrigin = (origin: string | null, allowed: ReadonlySet<string>): void => {
  const parsed = origin === null ? null : parseOrigin(origin);
  if (parsed !== null && allowed.has(parsed)) return;
  const what = origin === null ? 'The handshake has no Origin header.' : 'Terminals do not open from this web address.';
  throw new RefusedError({
    code: 'origin_not_allowed',
    message: `${what} Open the site under one of its own addresses (SAC_PUBLIC_URL).`,
  });
};
