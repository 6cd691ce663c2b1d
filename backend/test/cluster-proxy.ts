import {
  createServer,
  request as plainRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

/** What becomes of a request: nothing special, a delay before it, or an answer instead of it. */
export type Fault = { readonly delayMs: number } | { readonly status: number; readonly body: unknown } | null;

/** A way to the real API server that can be slow, wrong or closed. */
export class ClusterProxy {
  readonly kubeConfig: KubeConfig;
  readonly requests: string[] = [];
  fault: (method: string, url: URL) => Fault = () => null;
  readonly #agent: Agent;
  readonly #target: URL;
  #server: Server;
  #port = 0;

  private constructor(direct: KubeConfig) {
    const cluster = direct.getCurrentCluster()!;
    const user = direct.getCurrentUser()!;
    const decoded = (text: string | undefined): Buffer | undefined => (text ? Buffer.from(text, 'base64') : undefined);
    this.#target = new URL(cluster.server);
    const options = { ca: decoded(cluster.caData), cert: decoded(user.certData), key: decoded(user.keyData) };
    this.#agent = new Agent(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
    this.#server = this.#make();
    this.kubeConfig = new KubeConfig();
  }

  /** `direct` has its certificates and keys inside, not in files. */
  static async start(direct: KubeConfig): Promise<ClusterProxy> {
    const proxy = new ClusterProxy(direct);
    await proxy.open();
    const server = `http://127.0.0.1:${proxy.#port}`;
    proxy.kubeConfig.loadFromClusterAndUser({ name: 'proxy', server, skipTLSVerify: true }, { name: 'proxy' });
    return proxy;
  }

  async open(): Promise<void> {
    this.#server = this.#make();
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody answers any more, and what was open is cut. */
  async shut(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async close(): Promise<void> {
    await this.shut();
    this.#agent.destroy();
  }

  #make(): Server {
    return createServer((incoming, outgoing) => {
      incoming.on('error', () => outgoing.destroy());
      outgoing.on('error', () => incoming.destroy());
      const url = new URL(incoming.url ?? '/', this.#target);
      this.requests.push(`${incoming.method} ${url.pathname}${url.searchParams.has('watch') ? ' (watch)' : ''}`);
      const fault = this.fault(incoming.method ?? '', url);
      if (fault === null) this.#forward(incoming, outgoing, url);
      else if ('delayMs' in fault) setTimeout(() => this.#forward(incoming, outgoing, url), fault.delayMs);
      else outgoing.writeHead(fault.status, { 'content-type': 'application/json' }).end(JSON.stringify(fault.body));
    });
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse, url: URL): void {
    const isTls = this.#target.protocol === 'https:';
    const onward = (isTls ? request : plainRequest)(
      url,
      {
        method: incoming.method,
        headers: { ...incoming.headers, host: this.#target.host },
        ...(isTls && { agent: this.#agent }),
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        // Of a watch the first line may come much later.
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  }
}
