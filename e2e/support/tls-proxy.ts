import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';

export interface TlsProxy {
  readonly origin: string;
  /** Where requests go from now on. */
  forwardTo(origin: string): void;
  close(): void;
}

function certificate(): { key: Buffer; cert: Buffer } {
  const dir = mkdtempSync(path.join(tmpdir(), 'sac-e2e-tls-'));
  try {
    const [key, cert] = [path.join(dir, 'key.pem'), path.join(dir, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const shape = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    execFileSync('openssl', ['req', ...shape, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const headLines = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string => {
  const lines = [`HTTP/1.1 ${statusCode ?? 502} ${statusMessage ?? ''}`];
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
};

/** What people put in front: ends TLS, passes everything on, upgrades too, and says for whom. */
export async function startTlsProxy(): Promise<TlsProxy> {
  let target = '';
  const onward = (incoming: IncomingMessage): RequestOptions => ({
    method: incoming.method ?? 'GET',
    headers: {
      ...incoming.headers,
      'x-forwarded-for': incoming.socket.remoteAddress ?? '',
      'x-forwarded-proto': 'https',
    },
  });
  const server = createServer(certificate(), (incoming, outgoing) => {
    const upstream = request(`${target}${incoming.url ?? '/'}`, onward(incoming), (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upstream = request(`${target}${incoming.url ?? '/'}`, onward(incoming));
    upstream.on('upgrade', (answer, onwardSocket: Duplex, rest: Buffer) => {
      socket.write(headLines(answer));
      socket.write(rest);
      onwardSocket.write(head);
      onwardSocket.pipe(socket).pipe(onwardSocket);
      onwardSocket.on('error', () => socket.destroy());
      socket.on('error', () => onwardSocket.destroy());
    });
    upstream.on('response', (answer) => socket.end(headLines(answer)));
    upstream.on('error', () => socket.destroy());
    upstream.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    forwardTo: (origin) => {
      target = origin;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
