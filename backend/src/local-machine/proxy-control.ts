import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { REVOCATIONS_PATH } from '../terminal-relay/control-server.ts';
import type { Revocation } from '../terminal-relay/messages.ts';

const ANSWER_TIMEOUT_MS = 1_000;
/** A proxy that has just been started makes its socket within this time. */
const RETRY_FOR_MS = 3_000;
const RETRY_INTERVAL_MS = 100;

const post = (socketPath: string, body: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request({
      socketPath,
      path: REVOCATIONS_PATH,
      method: 'POST',
      headers,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    call.on('error', reject);
    call.on('response', (response) => {
      response.resume();
      if (response.statusCode === 204) resolve();
      else reject(new Error(`ws-proxy answered ${response.statusCode ?? 0} to a sign-out`));
    });
    call.end(body);
  });

/** Tells one proxy which browser sessions ended. Rejects when a live one did not take it within three seconds. */
export const tellRevoked = async (
  socketPath: string,
  authSessions: readonly string[],
  isAlive: () => boolean,
): Promise<void> => {
  const revocation: Revocation = { authSessions: [...authSessions] };
  const body = JSON.stringify(revocation);
  const deadlineMs = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      return await post(socketPath, body);
    } catch (error) {
      if (!isAlive()) return;
      if (performance.now() > deadlineMs) throw error;
      await sleep(RETRY_INTERVAL_MS);
    }
  }
};
