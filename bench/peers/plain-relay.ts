/**
 * The relay everybody writes first, kept to compare with: `ws` in, `ws` out, each frame forwarded as it comes, no
 * back-pressure. Not part of the product. Prints its port; `GET /ws?upstream=<port>` names the far end.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const server = createServer();
const webSockets = new WebSocketServer({ server, handleProtocols: () => 'tty', perMessageDeflate: false });

webSockets.on('connection', (client, request) => {
  const port = Number(new URL(request.url ?? '', 'http://relay').searchParams.get('upstream'));
  const { authorization } = request.headers;
  const upstream = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['tty'], {
    perMessageDeflate: false,
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  });
  const early: Buffer[] = [];
  client.on('message', (data: Buffer) => {
    if (upstream.readyState === WebSocket.OPEN) upstream.send(data);
    else early.push(data);
  });
  upstream.on('open', () => {
    for (const data of early.splice(0)) upstream.send(data);
  });
  upstream.on('message', (data: Buffer) => client.send(data));
  upstream.on('close', () => client.close());
  client.on('close', () => upstream.close());
  for (const side of [client, upstream]) side.on('error', () => undefined);
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});
