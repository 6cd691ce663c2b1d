import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { run } from './cluster.ts';

/** A place beyond the cluster. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

const placeOf = (name: string): Place => {
  const [host = '', port = ''] = (process.env[name] ?? '').split(':');
  if (host === '' || port === '') throw new Error(`${name} is missing. Run these tests with: make test-cluster`);
  return { host, port: Number(port) };
};

/** Kept for examples: nobody on the internet has such an address, so this machine can. */
const isOfThisMachine = ({ host }: Place): boolean => host.startsWith('192.0.2.');

/** What stands for the internet, and for the proxies of the installation, while the tests run. */
export class Outside {
  readonly internet = placeOf('SAC_TEST_OUTSIDE');
  readonly proxy = placeOf('SAC_TEST_PROXY');
  /** Another port of the proxies' machine. */
  readonly besideProxy: Place = { host: this.proxy.host, port: 80 };
  readonly #servers: Server[] = [];

  static async open(): Promise<Outside> {
    const outside = new Outside();
    for (const place of outside.#own) {
      await run('ip', ['address', 'replace', `${place.host}/32`, 'dev', 'lo']);
      const server = createServer((socket) => socket.on('error', () => undefined).end()).listen(place.port, place.host);
      outside.#servers.push(server);
      await once(server, 'listening');
    }
    return outside;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const host of new Set(this.#own.map(({ host }) => host)))
      await run('ip', ['address', 'delete', `${host}/32`, 'dev', 'lo']);
  }

  get #own(): Place[] {
    return [this.internet, this.proxy, this.besideProxy].filter(isOfThisMachine);
  }
}
