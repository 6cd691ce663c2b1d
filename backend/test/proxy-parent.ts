/**
 * What `sac` has of the way to its terminals: a port whose upgrades go to supervised proxies. Measurements run it over IPC,
 * with the proxy's script, a folder for its files and the allowed origin; the ticket key comes as `id:key` in
 * SAC_TERMINAL_TICKET_KEYS. It says its port, and the proxy that serves whenever it is asked anything; it
 * ends when the channel is closed.
 */
import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createLogger } from '../src/app/logging.ts';
import { WsProxy } from '../src/local-machine/ws-proxy.ts';

const [script = '', runDir = '', origin = ''] = process.argv.slice(2);
const [kid = '', text = ''] = process.env['SAC_TERMINAL_TICKET_KEYS']?.split(':') ?? [];
const key = { kid, key: createSecretKey(text, 'utf8') };
const proxy = new WsProxy({
  script,
  runDir,
  logFile: join(runDir, 'ws-proxy.log'),
  logger: createLogger({ name: 'proxy-parent', level: 'fatal' }),
  logLevel: 'warn',
  ticketKeys: { current: key, all: [key] },
  allowedOrigins: [origin],
  trustedProxies: [],
});
proxy.start();
const server = createServer();
server.on('upgrade', (request, socket, head) => proxy.handUpgrade(request, socket, head));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => process.send?.({ pid: proxy.status.pid }));
process.once('disconnect', () => void proxy.stop().finally(() => process.exit(0)));
process.send?.({ port: (server.address() as AddressInfo).port });
