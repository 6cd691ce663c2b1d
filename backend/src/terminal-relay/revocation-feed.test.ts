import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Cleanup, openClient, refusedClient, startFarEnd, startProxy, ticketFor } from './testing/fixtures.ts';
import { RevocationFeed } from './revocation-feed.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());
const waitFor = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000 });

/** The gateway's side: what arrives on its connections is said by the test. */
const startGateway = async (port = 0) => {
  const streams = new Set<ServerResponse>();
  const credentials: string[] = [];
  const server: Server = createServer((request, response) => {
    credentials.push(`${request.url} ${request.headers.authorization}`);
    response.writeHead(200);
    streams.add(response.on('close', () => streams.delete(response)));
    response.write('{"kind":"ended","authSessions":["7"]}\n{"kind":"ne');
    response.write('w"}\n');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const end = (): void => {
    server.closeAllConnections();
    server.close();
  };
  cleanup.add(end);
  const say = (line: object): void => {
    for (const stream of streams) stream.write(`${JSON.stringify(line)}\n`);
  };
  return { say, end, streams, credentials, port: (server.address() as AddressInfo).port };
};

const start = async (options: { graceMs?: number; silenceMs?: number } = {}) => {
  const [farEnd, proxy, gateway] = [await startFarEnd(cleanup), await startProxy(cleanup), await startGateway()];
  const logger = pino({ level: 'silent' });
  const url = `http://127.0.0.1:${gateway.port}`;
  const feed = new RevocationFeed(proxy.relay, { url, credential: 'secret', logger, ...options });
  feed.start();
  cleanup.add(() => feed.close());
  const ticket = (authSession: string) => ticketFor({ upstream: farEnd.upstream, claims: { authSession } });
  const open = (authSession: string) => openClient(cleanup, proxy.port, { ticket: ticket(authSession) });
  const refused = (authSession: string) => refusedClient(proxy.port, { ticket: ticket(authSession) });
  await waitFor(() => expect(gateway.streams.size).toBe(1));
  return { proxy, farEnd, gateway, feed, open, refused };
};

describe('a proxy that follows sign-outs', () => {
  it('takes nobody before the list is complete', async () => {
    const { proxy, gateway, open, refused } = await start();
    expect(gateway.credentials).toEqual(['/internal/revocations Bearer secret']);
    expect(proxy.relay.accepting).toBe(false);
    expect(await refused('11')).toMatchObject({ status: 503, code: 'unavailable' });
    gateway.say({ kind: 'current' });
    await waitFor(() => expect(proxy.relay.accepting).toBe(true));
    await open('11');
    expect(await refused('7')).toMatchObject({ status: 401, code: 'unauthenticated' });
  });

  it('cuts what ends, also after its gateway has gone and another took its place', async () => {
    const { proxy, gateway, open, feed } = await start();
    gateway.say({ kind: 'current' });
    await waitFor(() => expect(proxy.relay.accepting).toBe(true));
    const [first, second] = [await open('11'), await open('12')];
    gateway.say({ kind: 'ended', authSessions: ['11'] });
    await once(first, 'close');
    gateway.end();
    await waitFor(() => expect(feed.metricsText).toContain('sac_ws_revocations_following 0'));
    expect(proxy.relay.accepting).toBe(true); // a restart of the gateway is nothing to a terminal
    const next = await startGateway(gateway.port);
    await waitFor(() => expect(next.streams.size).toBe(1));
    next.say({ kind: 'ended', authSessions: ['12'] });
    await once(second, 'close');
  });

  it('fails closed when nobody vouches for the list any more, and opens again', async () => {
    const { proxy, gateway, open, refused } = await start({ graceMs: 2_000 });
    gateway.say({ kind: 'current' });
    await waitFor(() => expect(proxy.relay.accepting).toBe(true));
    const client = await open('11');
    const vouching = setInterval(() => gateway.say({ kind: 'heartbeat' }), 50); // the server is there, its database not
    await once(client, 'close');
    clearInterval(vouching);
    expect(proxy.relay.metricsText).toContain('sac_ws_ended_total{reason="sign_outs_unknown"} 1');
    expect(await refused('11')).toMatchObject({ status: 503, code: 'unavailable' });
    gateway.say({ kind: 'current' });
    await waitFor(() => expect(proxy.relay.accepting).toBe(true));
    await open('11');
  });

  it.each([300, -300])('judges tickets by the clock of the gateway, %i s from its own', async (aheadSeconds) => {
    const { gateway, farEnd, proxy } = await start();
    const nowSeconds = Math.floor(Date.now() / 1000);
    const open = (iat: number) => {
      const claims = { authSession: '11', ...{ iat } };
      return { ticket: ticketFor({ upstream: farEnd.upstream, claims }) };
    };
    gateway.say({ kind: 'clock', nowMs: Date.now() + aheadSeconds * 1_000 });
    gateway.say({ kind: 'current' });
    await waitFor(() => expect(proxy.relay.accepting).toBe(true));
    const fresh = open(nowSeconds + aheadSeconds);
    await openClient(cleanup, proxy.port, fresh);
    expect(await refusedClient(proxy.port, fresh)).toMatchObject({ code: 'ticket_invalid' });
    await openClient(cleanup, proxy.port, open(nowSeconds + aheadSeconds - 28));
    // No longer than before: 30 s, and the five that a message may take.
    const old = await refusedClient(proxy.port, open(nowSeconds + aheadSeconds - 40));
    expect(old).toMatchObject({ code: 'ticket_invalid' });
  });

  it('leaves a gateway that has gone silent', async () => {
    const { gateway } = await start({ silenceMs: 300 });
    await waitFor(() => expect(gateway.credentials.length).toBeGreaterThan(1));
  });
});
