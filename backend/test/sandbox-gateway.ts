import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { internalPaths, type CommandResult, type SandboxCommand, type SandboxReport } from '@sac/contracts';

type NewCommand = SandboxCommand extends infer C
  ? C extends SandboxCommand
    ? Omit<C, 'id' | 'issuedAt'>
    : never
  : never;

/**
 * The gateway's side of contracts/internal.ts for tests of a sandbox without a database: a real HTTP server
 * on a unix socket that keeps what it is told.
 */
export class SandboxGateway {
  readonly reports: SandboxReport[] = [];
  readonly results = new Map<string, CommandResult>();
  readonly uploads = new Map<string, Buffer>();
  readonly credentials = new Set<string>();
  readonly #streams = new Set<ServerResponse>();
  readonly #open = new Map<string, SandboxCommand>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });
  #commandCount = 0;

  /** Path of a unix socket, or a port of every address; 0 takes a free one. */
  async listen(where: string | 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(where, resolve);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  get last(): SandboxReport | undefined {
    return this.reports.at(-1);
  }

  send(command: NewCommand, id = `c${(this.#commandCount += 1)}`): string {
    const whole = { ...command, id, issuedAt: new Date().toISOString() } as SandboxCommand;
    this.#open.set(id, whole);
    for (const stream of this.#streams) stream.write(`${JSON.stringify(whole)}\n`);
    return id;
  }

  /** Forgets what was said and asked so far: the next sandbox starts from nothing. */
  reset(): void {
    this.reports.length = 0;
    this.#open.clear();
  }

  /** Breaks all command streams, as a restart of the server does; unacknowledged commands are sent again. */
  dropStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  async result(id: string, timeoutMs = 30_000): Promise<CommandResult> {
    return waitFor(
      () => this.results.get(id),
      timeoutMs,
      () => `no result of ${id}; last report ${JSON.stringify(this.last)}`,
    );
  }

  async report(accepts: (report: SandboxReport) => boolean, timeoutMs = 30_000): Promise<SandboxReport> {
    return waitFor(
      () => (this.last !== undefined && accepts(this.last) ? this.last : undefined),
      timeoutMs,
      () => `last report ${JSON.stringify(this.last)}`,
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', method } = request;
    this.credentials.add(request.headers.authorization ?? '');
    if (method === 'GET' && url === internalPaths.commands) return this.#stream(response);
    if (method === 'POST' && url === internalPaths.report) {
      this.reports.push((await json(request)) as SandboxReport);
      return void response.writeHead(204).end();
    }
    const result = /^\/internal\/commands\/([^/]+)\/result$/.exec(url)?.[1];
    if (method === 'POST' && result !== undefined) {
      this.results.set(result, (await json(request)) as CommandResult);
      this.#open.delete(result);
      return void response.writeHead(204).end();
    }
    const upload = this.uploads.get(/^\/internal\/uploads\/([^/]+)$/.exec(url)?.[1] ?? '');
    if (method === 'GET' && upload !== undefined) return void response.writeHead(200).end(upload);
    response.writeHead(404).end();
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"kind":"heartbeat"}\n');
    for (const command of this.#open.values()) response.write(`${JSON.stringify(command)}\n`);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }
}

/** Looks every 25 ms. @throws with `describe()` when the time is over */
export const waitFor = async <T>(
  look: () => T | undefined | Promise<T | undefined>,
  timeoutMs: number,
  describe: () => string,
): Promise<T> => {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
};
