import { spawn, type ChildProcess } from 'node:child_process';
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TICKET_AUDIENCE, TICKET_TTL_SECONDS, type TicketClaims, type Upstream } from '@sac/contracts';
import jsonwebtoken from 'jsonwebtoken';
import { SignOutFeed, untilReady } from './sign-out-feed.ts';

export const ORIGIN = 'https://sac.example.org';
export const KEY_ID = 'k1';
const START_TIMEOUT_MS = 20_000;
const source = fileURLToPath(new URL('../../../../backend/src/entrypoints/ws-proxy.ts', import.meta.url));

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

/** Address of a terminal behind a proxy with a fresh ticket, and the header that goes with it. */
export interface Route {
  readonly url: string;
  readonly origin: string;
}

export interface Destination {
  readonly upstream: Upstream;
  /** Token for the terminal server. */
  readonly inner: string;
  readonly user: string;
}

/** Through the proxy at a port of this machine that knows `key` as `KEY_ID`. */
export const routeThrough = (
  proxy: { readonly port: number; readonly key: string },
  { upstream, inner, user }: Destination,
): Route => {
  const claims: TicketClaims = {
    jti: randomUUID(),
    sub: user,
    session: '1',
    authSession: '1',
    agentUid: 'agent-1',
    generation: 7,
    terminal: 'main',
    mode: 'control',
    upstream,
    inner,
  };
  const ticket = jsonwebtoken.sign(claims, createSecretKey(proxy.key, 'utf8'), {
    algorithm: 'HS256',
    keyid: KEY_ID,
    audience: TICKET_AUDIENCE,
    expiresIn: TICKET_TTL_SECONDS,
  });
  return { url: `ws://127.0.0.1:${proxy.port}/ws/1?token=${ticket}`, origin: ORIGIN };
};

/** The real ws-proxy as a process of its own that can be killed and started again on the same port. */
export class WsProxyProcess {
  readonly port: number;
  readonly #key = randomBytes(32).toString('hex');
  readonly #entry: string;
  readonly #feed: SignOutFeed;
  #child: ChildProcess | null = null;

  private constructor(port: number, entry: string, feed: SignOutFeed) {
    this.port = port;
    this.#entry = entry;
    this.#feed = feed;
  }

  /** `entry`: its source, or a bundle, which starts faster. */
  static async start(entry = source): Promise<WsProxyProcess> {
    const proxy = new WsProxyProcess(await freePort(), entry, await SignOutFeed.start());
    await proxy.startAgain();
    return proxy;
  }

  /** @throws Error with its last words when it does not listen in time */
  async startAgain(): Promise<void> {
    const child = spawn(process.execPath, [this.#entry], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '/',
        SAC_TERMINAL_TICKET_KEYS: `${KEY_ID}:${this.#key}`,
        SAC_PUBLIC_URL: ORIGIN,
        SAC_WS_LISTEN: `127.0.0.1:${this.port}`,
        ...this.#feed.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const listening = Promise.withResolvers<void>();
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 10) lines.shift();
        if (line.includes(`"port":${this.port}`) || line.includes('listening')) listening.resolve();
      });
    }
    child.once('exit', () => listening.reject(new Error(`ws-proxy ended:\n${lines.join('\n')}`)));
    const timer = setTimeout(
      () => listening.reject(new Error(`ws-proxy does not listen:\n${lines.join('\n')}`)),
      START_TIMEOUT_MS,
    );
    await listening.promise.finally(() => clearTimeout(timer));
    await untilReady(this.port);
  }

  /** For good. */
  async end(): Promise<void> {
    await this.kill();
    this.#feed.close();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** A way through it. */
  route(to: Destination): Route {
    return routeThrough({ port: this.port, key: this.#key }, to);
  }
}
