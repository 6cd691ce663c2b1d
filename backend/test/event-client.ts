import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerEvent } from '@sac/contracts';
import type { FastifyInstance } from 'fastify';

export interface ReceivedEvent {
  readonly id: string | null;
  readonly event: ServerEvent;
}

const originOf = ({ server }: FastifyInstance): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Reads `/api/events` over a real socket, as a browser's reader would. */
export class EventClient {
  readonly received: ReceivedEvent[] = [];
  status = 0;
  isEnded = false;
  headers: IncomingMessage['headers'] = {};
  readonly #request: ClientRequest;
  #response: IncomingMessage | null = null;
  #text = '';

  /** `server`: of this process, or the origin of another. */
  constructor(server: FastifyInstance | string, headers: Record<string, string>, lastEventId?: string) {
    this.#request = request(new URL('/api/events', typeof server === 'string' ? server : originOf(server)), {
      agent: false,
      headers: { ...headers, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    });
    this.#request.on('response', (response) => this.#read(response));
    this.#request.on('error', () => (this.isEnded = true));
    this.#request.end();
  }

  get types(): string[] {
    return this.received.map((entry) => entry.event.type);
  }

  get lastId(): string | undefined {
    return this.received.findLast((entry) => entry.id !== null)?.id ?? undefined;
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  async until(what: string, isTrue: (client: EventClient) => boolean, timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!isTrue(this)) {
      if (Date.now() > deadline)
        throw new Error(`${what}: not within ${timeoutMs} ms; status ${this.status}, got ${this.types.join(', ')}`);
      await sleep(10);
    }
  }

  #read(response: IncomingMessage): void {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#parse(chunk));
    response.on('close', () => (this.isEnded = true));
    response.on('error', () => (this.isEnded = true));
  }

  #parse(chunk: string): void {
    const blocks = (this.#text + chunk).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) {
      const lines = block.split('\n');
      const data = lines.find((line) => line.startsWith('data: '));
      const id = lines.find((line) => line.startsWith('id: '))?.slice(4) ?? null;
      if (data !== undefined) this.received.push({ id, event: JSON.parse(data.slice(6)) as ServerEvent });
    }
  }
}
