import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

const SAY_EVERY_MS = 10_000;

const server = createServer((_request, response) => {
  const say = (): void => void response.write('{"kind":"current"}\n');
  const timer = setInterval(say, SAY_EVERY_MS);
  response.once('close', () => clearInterval(timer));
  say();
}).listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
