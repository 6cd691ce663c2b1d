import type { Server } from 'node:http';

/**
 * A client that takes nothing of its answer for so long is gone or stuck. Node counts from the last byte the system
 * took, also in the middle of a large piece: whoever reads, however slowly, is left alone.
 */
const UNREAD_TIMEOUT_MS = 60_000;

/** Ends connections whose answer nobody reads: it would stay in memory for as long as the client likes. */
export const endUnreadAnswers = (server: Server): void => {
  server.setTimeout(UNREAD_TIMEOUT_MS);
  server.on('request', (_request, response) => {
    // With a listener Node leaves the end to it. An answer that is still being made keeps nobody waiting but its client.
    response.on('timeout', (socket) => {
      if (response.writableLength > 0) socket.destroy();
    });
  });
};
