import type { FastifyRequest } from 'fastify';
import { AppError } from '../lib/app-error.ts';

const refused = (what: string, value: string): AppError => {
  const shown = JSON.stringify(value.slice(0, 200));
  return new AppError(
    'origin_not_allowed',
    `${what} ${shown} is not an address of this site. If it should be one, add it to SAC_PUBLIC_URL.`,
  );
};

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Of two hosts we would look at the first, and a proxy before us perhaps at the second. */
const isHostGivenTwice = ({ rawHeaders }: FastifyRequest['raw']): boolean =>
  rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host').length > 1;

/**
 * Two checks against pages of other sites. The Host must be ours: a name that an attacker's DNS points at
 * this server (DNS rebinding) would otherwise be "same origin" to the browser. And a request that changes
 * something must not come from a foreign Origin; requests without one come from programs, which bring no
 * cookies of somebody else.
 */
export const createOriginCheck = (publicOrigins: readonly string[]) => {
  const origins = new Set(publicOrigins.map((origin) => new URL(origin).origin));
  const hosts = new Set([...origins].map((origin) => new URL(origin).host));
  // Browsers leave the default port out, other clients may not.
  for (const origin of origins) {
    const url = new URL(origin);
    if (url.port === '') hosts.add(`${url.hostname}:${url.protocol === 'https:' ? '443' : '80'}`);
  }

  /** Throws AppError `origin_not_allowed`. */
  return (request: FastifyRequest): void => {
    const host = (request.headers.host ?? '').toLowerCase();
    if (isHostGivenTwice(request.raw)) throw new AppError('invalid_request', 'The header Host is given twice.');
    if (!hosts.has(host)) throw refused('The host', host);
    const { origin } = request.headers;
    if (safeMethods.has(request.method) || origin === undefined) return;
    if (!origins.has(origin)) throw refused('The origin', origin);
  };
};
