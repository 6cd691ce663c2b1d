import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/** Origins a page may open WebSockets to. `'self'` covers ws: and wss: in today's browsers; older Safari wants them spelt out. */
const socketSources = (publicOrigins: readonly string[]): string[] =>
  publicOrigins.map((origin) => origin.replace(/^http/, 'ws'));

/** Everything from this origin only. */
export const registerSecurityHeaders = async (
  app: FastifyInstance,
  publicOrigins: readonly string[],
): Promise<void> => {
  const onlyHttps = publicOrigins.every((origin) => origin.startsWith('https:'));
  await app.register(helmet, {
    global: true,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        scriptSrcAttr: ["'none'"],
        // The component library and xterm.js create <style> elements at run time. A nonce would have to be in the
        // cached index.html and thus be the same for everybody, which is worth nothing; styles run no code.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'", ...socketSources(publicOrigins)],
        workerSrc: ["'self'", 'blob:'],
        manifestSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Promised only where every address of the site is https: on http it would lock the site out for a year.
    strictTransportSecurity: onlyHttps ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginEmbedderPolicy: false,
    xFrameOptions: { action: 'deny' },
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
    reply.header('permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=(), usb=()');
    if (request.url.startsWith('/api/') && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
};
