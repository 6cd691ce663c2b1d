import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';

const MAX_JSON_BYTES = 4 * 1024 * 1024;

export interface SocketRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly stream?: Readable;
  readonly signal: AbortSignal;
}

/** Where the other side listens. */
export type HttpTarget = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** The other side answered, but not with success. `body` holds at most 2000 characters of what it said. */
export class HttpFailure extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`answered ${status}: ${body.slice(0, 300)}`);
    this.name = 'HttpFailure';
    this.status = status;
    this.body = body.slice(0, 2_000);
  }
}

const optionsOf = (target: HttpTarget, call: SocketRequest, body: Buffer | null): RequestOptions => ({
  ...target,
  method: call.method,
  path: call.path,
  signal: call.signal,
  agent: false,
  headers: {
    ...call.headers,
    ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    ...(call.stream === undefined ? {} : { 'content-type': 'application/octet-stream' }),
  },
});

/** Opens a request on a connection of its own. @throws connection errors, AbortError, HttpFailure unless 2xx */
export const openRequest = async (target: HttpTarget, call: SocketRequest): Promise<IncomingMessage> => {
  const body = call.json === undefined ? null : Buffer.from(JSON.stringify(call.json));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(optionsOf(target, call, body), resolve);
    outgoing.on('error', reject);
    if (call.stream === undefined) {
      outgoing.end(body ?? undefined);
      return;
    }
    call.stream.on('error', (error: Error) => outgoing.destroy(error));
    call.stream.pipe(outgoing);
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw new HttpFailure(status, (await readBounded(response, 16_384)).toString('utf8'));
};

const readBounded = async (response: IncomingMessage, maxBytes: number): Promise<Buffer> => {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) {
      response.destroy();
      throw new Error(`The answer is larger than ${maxBytes} bytes.`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
};

/** Request with a JSON answer; undefined when the answer is empty. @throws as `openRequest`, SyntaxError */
export const requestJson = async (target: HttpTarget, call: SocketRequest): Promise<unknown> => {
  const body = await readBounded(await openRequest(target, call), MAX_JSON_BYTES);
  return body.length === 0 ? undefined : JSON.parse(body.toString('utf8'));
};

/** Lines of a streaming answer, each at most `maxLineBytes`. Ends when the other side closes. @throws when a line is longer */
export async function* readLines(response: IncomingMessage, maxLineBytes: number): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const part of response as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, part]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end).toString('utf8').trim();
      rest = rest.subarray(end + 1);
      if (line !== '') yield line;
    }
    if (rest.length > maxLineBytes) throw new Error(`A line of the stream is longer than ${maxLineBytes} bytes.`);
  }
}
