import type { ChildProcess } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ParentMessage } from './messages.ts';
import { refuse } from '../lib/refusal.ts';

const UNAVAILABLE = {
  code: 'unavailable',
  message: 'The terminal proxy is starting; try again in a moment.',
  retryAfterSeconds: 1,
} as const;

interface ReadableHandle {
  readStop(): number;
}

/**
 * Until the child acknowledges the handle, this process still polls it, and whatever arrives in that window would
 * be read here and lost. `pause()` stops the stream but not the handle, hence the one use of Node's own field.
 */
const stopReading = (socket: Socket): void => {
  const { _handle: handle } = socket as unknown as { readonly _handle?: ReadableHandle | null };
  handle?.readStop();
};

/**
 * A server that is asked to close would wait for sockets it passed on until the child has ended them: a terminal
 * open in some browser would keep the gateway from ever stopping. Without this field it does not track them.
 */
const forgetServer = (socket: Socket): void => {
  (socket as unknown as { server?: unknown }).server = undefined;
};

/**
 * Passes a WebSocket handshake and its TCP socket to the ws-proxy child. Must run inside the `upgrade` event
 * itself: from the next turn on this process could read bytes that belong to the child. Answers 503 when there is
 * no child. `remoteAddress` is the person's address after trusted proxies.
 */
export const handOver = (
  child: ChildProcess | null,
  request: IncomingMessage,
  socket: Duplex,
  options: { head: Buffer; remoteAddress: string },
): void => {
  socket.on('error', () => socket.destroy());
  if (!child?.connected || !(socket instanceof Socket)) {
    refuse(socket, UNAVAILABLE);
    return;
  }
  stopReading(socket);
  const message: ParentMessage = {
    type: 'upgrade',
    request: {
      method: request.method ?? '',
      url: request.url ?? '',
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      remoteAddress: options.remoteAddress,
    },
    headBase64: options.head.toString('base64'),
  };
  forgetServer(socket);
  // The handle is the child's from here on; what is destroyed is this process's empty shell, which the server counts.
  child.send(message, socket, () => socket.destroy());
};
