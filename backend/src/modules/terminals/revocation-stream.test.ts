import { request, type IncomingMessage } from 'node:http';
import type { RevocationLine } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestGateway, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';

const NEW = 'n'.repeat(40);
const TICKET_CLOCK_MS = Date.UTC(2030, 0, 1);
const OLD = 'o'.repeat(40);

let test: TestGateway;
let url: string;
const open: IncomingMessage[] = [];
beforeAll(async () => {
  test = await createTestGateway({
    config: { proxyCredentials: [NEW, OLD] },
    deps: { ticketClock: () => Promise.resolve(TICKET_CLOCK_MS) },
  });
  url = await test.gateway.internal.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await test.close();
  expect(open.every(({ complete }) => complete)).toBe(true); // ended in order, not broken off
});

const connect = (credential: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${credential}` };
    request(`${url}/internal/revocations`, { headers, agent: false }, resolve).on('error', reject).end();
  });

const follow = async (credential: string): Promise<RevocationLine[]> => {
  const response = await connect(credential);
  expect(response.statusCode).toBe(200);
  open.push(response);
  const lines: RevocationLine[] = [];
  response.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trim().split('\n')) lines.push(JSON.parse(line) as RevocationLine);
  });
  return lines;
};

const sessionOf = (page: TestBrowser): string =>
  (JSON.parse(Buffer.from(page.accessToken.split('.')[1] ?? '', 'base64url').toString()) as { sid: string }).sid;
const ended = (lines: readonly RevocationLine[]): string[] =>
  lines.flatMap((line) => (line.kind === 'ended' ? line.authSessions : []));
const waitFor = (check: () => void) => vi.waitFor(check, { timeout: 20_000 });

describe('the stream of ended browser sessions', () => {
  it('tells what ended before, says that this is all, and then tells each as it ends', async () => {
    const [before, after] = [await test.person('anna'), await test.person('bert')];
    await before.call('signOut');
    const lines = await follow(NEW);
    await waitFor(() => expect(lines.at(-1)).toEqual({ kind: 'current' }));
    expect(lines.at(-2)).toEqual({ kind: 'clock', nowMs: TICKET_CLOCK_MS });
    expect(ended(lines)).toContain(sessionOf(before));
    expect(ended(lines)).not.toContain(sessionOf(after));
    await after.call('signOut');
    await waitFor(() => expect(ended(lines)).toContain(sessionOf(after)));
  });

  it('takes every credential of a rotation, and no other', async () => {
    await follow(OLD);
    for (const credential of ['', 'x'.repeat(40), `${NEW}x`]) {
      const response = await connect(credential);
      expect(response.statusCode).toBe(401);
      response.resume();
    }
  });
});
