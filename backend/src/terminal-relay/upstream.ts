import { connect, type Socket } from 'node:net';
import { SUBPROTOCOL, type Upstream } from '@sac/contracts';
import { READ_SIZES, type ReadSizes } from './flood-pacer.ts';
import type { UpstreamPolicy } from './messages.ts';
import type { UpstreamFailure } from './metrics.ts';
import { ReadBuffer } from './read-buffer.ts';
import { ResponseHeadReader } from './response-head.ts';
import { targetsOf, type Target } from './upstream-target.ts';

/** Takes one chunk, which is only valid during the call. False stops reading until `socket.resume()`. */
export type ChunkReader = (chunk: Uint8Array) => boolean;

/** A connection to a terminal server that has answered 101, not reading until it gets a reader and `socket.resume()`. */
export interface UpstreamLink {
  readonly socket: Socket;
  readonly source: { readonly buffer: ReadBuffer; reader: ChunkReader };
  readonly sizes: ReadSizes;
  /** Response head for the client. */
  readonly response: string;
  /** First bytes after the head. */
  readonly rest: Buffer;
}

export class UpstreamError extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UpstreamError';
    this.failure = failure;
  }
}

export interface OpenUpstream {
  readonly upstream: Upstream;
  readonly policy: UpstreamPolicy;
  readonly timeoutMs: number;
  /** Sec-WebSocket-Key of the client, checked. */
  readonly key: string;
  readonly bearer: string;
  readonly signal: AbortSignal;
}

/** Written anew: no query, Origin, cookie or extension offer of the client gets past the relay. */
const requestHead = (authority: string, key: string, bearer: string): string =>
  [
    'GET /ws HTTP/1.1',
    `Host: ${authority}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
    `Authorization: Bearer ${bearer}`,
    '',
    '',
  ].join('\r\n');

/** What a socket is read into, and who takes it; all that stays of the attempt while the connection lives. */
class Source {
  readonly buffer = new ReadBuffer();
  reader: ChunkReader = () => true;
}

const ignore = (): void => undefined;

const sizesOf = ({ options }: Target): ReadSizes => ('path' in options ? READ_SIZES.unix : READ_SIZES.tcp);

/** A function of its own: its closures live as long as the socket and must hold nothing but the source. */
const connectTo = (target: Target, source: Source): Socket =>
  connect({
    ...target.options,
    noDelay: true,
    onread: {
      buffer: () => source.buffer.current,
      callback: (byteCount, read) => source.reader(read.subarray(0, byteCount)),
    },
  }).on('error', ignore);

/** Settles once; whatever happens first (answer, error, end, deadline, abort) decides, and a failure ends the socket. */
const openTarget = (
  target: Target,
  head: string,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<UpstreamLink> =>
  new Promise((resolve, reject) => {
    const headReader = new ResponseHeadReader();
    const source = new Source();
    const socket = connectTo(target, source);
    const fail = (failure: UpstreamFailure, message: string, cause?: unknown): void => {
      settle();
      socket.destroy();
      reject(new UpstreamError(failure, message, { cause }));
    };
    source.reader = (chunk) => {
      const result = headReader.push(chunk);
      if (result.kind === 'incomplete') return true;
      if (result.kind === 'refused') fail('refused', `The terminal server answered ${result.status}.`);
      else if (result.kind === 'malformed')
        fail('malformed', 'The terminal server did not answer as a WebSocket server does.');
      else {
        settle();
        resolve({ socket, source, sizes: sizesOf(target), response: result.response, rest: result.rest });
      }
      return false;
    };
    const deadline = setTimeout(
      () => fail('timeout', `The terminal server did not answer within ${timeoutMs} ms.`),
      timeoutMs,
    );
    const onAbort = (): void => fail('aborted', 'The attempt was given up.', signal.reason);
    const onError = (error: Error): void => fail('connect', 'The terminal server cannot be reached.', error);
    const onClose = (): void => fail('connect', 'The terminal server hung up before it answered.');
    const settle = (): void => {
      clearTimeout(deadline);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', onError).once('close', onClose);
    socket.write(head);
  });

/**
 * Connects and upgrades. With two addresses the first gets half of the time: a pod's own address is
 * right unless the pod was just replaced. Throws `UpstreamError`.
 */
export const openUpstream = async (options: OpenUpstream): Promise<UpstreamLink> => {
  const targets = targetsOf(options.upstream, options.policy);
  let failure: UpstreamError | null = null;
  for (const [index, target] of targets.entries()) {
    const head = requestHead(target.authority, options.key, options.bearer);
    try {
      return await openTarget(target, head, { signal: options.signal, timeoutMs: options.timeoutMs / targets.length });
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      failure = error;
      // An answer, even a bad one, comes from the right machine or from one that must not see the token again.
      if (!['connect', 'timeout'].includes(error.failure) || index === targets.length - 1) break;
    }
  }
  throw (
    failure ?? new UpstreamError('policy', 'The ticket names a terminal server that this proxy may not connect to.')
  );
};
