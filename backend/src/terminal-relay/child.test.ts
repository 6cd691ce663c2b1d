import { createSecretKey } from 'node:crypto';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { handOver } from './hand-over.ts';
import { encodeTicketKeys, type ParentMessage, type RelayConfig } from './messages.ts';
import {
  Cleanup,
  KEY,
  openClient,
  ORIGIN,
  rawRequest,
  refusedClient,
  shortDir,
  startFarEnd,
  ticketFor,
  waitUntil,
  type FarEnd,
} from './testing/fixtures.ts';

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const ENTRYPOINT = join(import.meta.dirname, '../entrypoints/ws-proxy.ts');

const startChild = async (config: RelayConfig): Promise<ChildProcess> => {
  const child = fork(ENTRYPOINT, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
    env: { SAC_LOG_LEVEL: 'silent' },
  });
  cleanup.add(() => child.kill('SIGKILL'));
  const message: ParentMessage = { type: 'configure', config };
  child.send(message);
  const [answer] = (await once(child, 'message')) as [unknown];
  expect(answer).toEqual({ type: 'ready' });
  return child;
};

const startParent = async (child: () => ChildProcess | null): Promise<{ server: Server; port: number }> => {
  const server = createServer((_request, response) => response.end('page'));
  server.on('upgrade', (request, socket, head) =>
    handOver(child(), request, socket, { head, remoteAddress: '192.0.2.1' }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.add(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
};

const start = async (): Promise<{ farEnd: FarEnd; child: ChildProcess; server: Server; port: number }> => {
  const dir = await shortDir(cleanup);
  const farEnd = await startFarEnd(cleanup, join(dir, 't.sock'));
  const child = await startChild({
    ticketKeys: encodeTicketKeys([KEY]),
    allowedOrigins: [ORIGIN],
    upstream: { unixDirectory: dir, tcp: false },
  });
  return { farEnd, child, ...(await startParent(() => child)) };
};

describe('ws-proxy as a child', () => {
  it('answers on the socket it was handed, refusals too', async () => {
    const { farEnd, port } = await start();
    const accepted = farEnd.accepted();
    const ticket = ticketFor({ upstream: farEnd.upstream });
    const client = await openClient(cleanup, port, { ticket });
    const server = await accepted;
    const back = once(client, 'message');
    server.send(Buffer.alloc(1_000_000, 7));
    expect(((await back) as [Buffer])[0]).toHaveLength(1_000_000);
    expect(await refusedClient(port, { ticket })).toMatchObject({ status: 401, code: 'ticket_invalid' });
    expect(await refusedClient(port, { ticket, origin: 'https://evil.example' })).toMatchObject({ status: 403 });
    expect(await rawRequest(port, 'GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain('page');
  });

  it('gets every byte of the client although the parent is busy', async () => {
    const { farEnd, port } = await start();
    farEnd.webSockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(data)));
    const clients = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const client = await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
        const back = once(client, 'message');
        client.send(Buffer.from(`hello ${index}`));
        // The parent is this process: it sleeps while the client's first bytes arrive.
        const until = performance.now() + 20;
        while (performance.now() < until);
        return ((await back) as [Buffer])[0].toString();
      }),
    );
    expect(clients).toEqual(Array.from({ length: 30 }, (_, index) => `hello ${index}`));
  });

  it('does not keep the server that handed it over from closing', async () => {
    const { farEnd, server, port } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    const upstream = await accepted;
    server.close();
    await once(server, 'close');
    const back = once(client, 'message');
    upstream.send('still here');
    expect(((await back) as [Buffer])[0].toString()).toBe('still here');
  });

  it('keeps open terminals when the parent lets go, takes no new ones and ends after the last', async () => {
    const { farEnd, child, port } = await start();
    const accepted = farEnd.accepted();
    const client = await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    const server = await accepted;
    child.disconnect();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const back = once(client, 'message');
    server.send('still here');
    expect(((await back) as [Buffer])[0].toString()).toBe('still here');
    expect(await refusedClient(port, { ticket: ticketFor({ upstream: farEnd.upstream }) })).toMatchObject({
      status: 503,
      code: 'unavailable',
    });
    expect(child.exitCode).toBeNull();
    const exited = once(child, 'exit');
    client.close();
    expect(await exited).toEqual([0, null]);
  });

  it('survives that its parent dies with a question open', async () => {
    const { farEnd, child, port } = await start();
    const client = await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    // It gets to read the question only when nobody is there for the answer.
    child.kill('SIGSTOP');
    for (let id = 0; id < 3; id += 1) child.send({ type: 'metrics', id });
    child.disconnect();
    child.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(child.exitCode).toBeNull();
    expect(client.readyState).toBe(client.OPEN);
  });

  it('is replaced after kill -9: clients see a lost connection, the next handshake works', async () => {
    const dir = await shortDir(cleanup);
    const farEnd = await startFarEnd(cleanup, join(dir, 't.sock'));
    const config: RelayConfig = {
      ticketKeys: encodeTicketKeys([KEY]),
      allowedOrigins: [ORIGIN],
      upstream: { unixDirectory: dir, tcp: false },
    };
    let child = await startChild(config);
    const { port } = await startParent(() => child);
    const ticket = () => ticketFor({ upstream: farEnd.upstream });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => openClient(cleanup, port, { ticket: ticket() })),
    );
    const codes = Promise.all(clients.map(async (client) => ((await once(client, 'close')) as [number])[0]));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(new Set(await codes)).toEqual(new Set([1006]));
    expect(await refusedClient(port, { ticket: ticket() })).toMatchObject({ status: 503 });
    child = await startChild(config);
    await openClient(cleanup, port, { ticket: ticket() });
    await waitUntil(() => farEnd.webSockets.clients.size === 1);
  });

  it('ends its connections and itself on SIGTERM', async () => {
    const { farEnd, child, port } = await start();
    const client = await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    const closed = once(client, 'close');
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect((await closed)[0]).toBe(1006);
    expect(await exited).toEqual([0, null]);
  });

  it('reports its metrics', async () => {
    const { farEnd, child, port } = await start();
    await openClient(cleanup, port, { ticket: ticketFor({ upstream: farEnd.upstream }) });
    const message: ParentMessage = { type: 'metrics', id: 3 };
    child.send(message);
    const [answer] = (await once(child, 'message')) as [unknown];
    expect(answer).toMatchObject({
      type: 'metrics',
      id: 3,
      text: expect.stringContaining('sac_ws_connections 1') as unknown,
    });
  });

  it('refuses before it is configured and survives nonsense from the parent', async () => {
    const child = fork(ENTRYPOINT, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
      env: { SAC_LOG_LEVEL: 'silent' },
    });
    cleanup.add(() => child.kill('SIGKILL'));
    const { port } = await startParent(() => child);
    child.send({ type: 'configure' });
    child.send('nonsense');
    const farEnd = await startFarEnd(cleanup);
    expect(await refusedClient(port, { ticket: ticketFor({ upstream: farEnd.upstream }) })).toMatchObject({
      status: 503,
    });
  });
});

const CREDENTIAL = '0123456789abcdefghijklmnopqrstuvwxyz-credential';

describe('ws-proxy by itself', () => {
  it('says where it listens, follows sign-outs, and on SIGTERM says so before it ends', async () => {
    const farEnd = await startFarEnd(cleanup);
    const gateway = createServer((request, response) => {
      expect(request.headers.authorization).toBe(`Bearer ${CREDENTIAL}`);
      response.write('{"kind":"ended","authSessions":["404"]}\n{"kind":"current"}\n');
    }).listen(0, '127.0.0.1');
    await once(gateway, 'listening');
    cleanup.add(() => {
      gateway.closeAllConnections();
      gateway.close();
    });
    const alone = spawn(process.execPath, [ENTRYPOINT], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        SAC_WS_LISTEN: '127.0.0.1:0',
        SAC_PUBLIC_URL: ORIGIN,
        SAC_TERMINAL_TICKET_KEYS: 'a:0123456789abcdefghijklmnopqrstuvwxyz',
        SAC_WS_PROXY_CREDENTIAL: CREDENTIAL,
        SAC_INTERNAL_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
      },
    });
    cleanup.add(() => alone.kill('SIGKILL'));
    let log = '';
    alone.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await waitUntil(() => /"port":\d+/.test(log));
    const port = Number(/"port":(\d+)/.exec(log)?.[1]);
    const key = { kid: 'a', key: createSecretKey('0123456789abcdefghijklmnopqrstuvwxyz', 'utf8') };
    const health = async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).status;
    await waitUntil(async () => (await health()) === 200);
    const ticket = (authSession: string) => ticketFor({ upstream: farEnd.upstream, key, claims: { authSession } });
    expect(await refusedClient(port, { ticket: ticket('404') })).toMatchObject({ status: 401 });
    const client = await openClient(cleanup, port, { ticket: ticket('1') });
    const closed = once(client, 'close');
    const exited = once(alone, 'exit');
    alone.kill('SIGTERM');
    await waitUntil(async () => (await health()) === 503);
    // Whoever was sent here before that was known is taken.
    (await openClient(cleanup, port, { ticket: ticket('1') })).terminate();
    expect((await closed)[0]).toBe(1006);
    await expect(health()).rejects.toThrow();
    expect(await exited).toEqual([0, null]);
  });
});
