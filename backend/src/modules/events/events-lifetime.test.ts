import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventClient } from '../../../test/event-client.ts';
import { createTestGateway, type TestGateway } from '../../../test/gateway.ts';
import { signAccessToken } from '../auth/access-token.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => test.close());

describe('lifetime of the event stream', () => {
  it('ends with the access token', async () => {
    const page = await test.admin();
    const { userId, sid, tv } = claimsOf(page.accessToken);
    // Two seconds before its end.
    const issued = new Date(Date.now() - 15 * 60_000 + 2_000);
    const { token } = signAccessToken(test.keys.accessToken, { userId, authSessionId: sid, tokenVersion: tv }, issued);
    const client = new EventClient(test.app, { ...page.headers(), authorization: `Bearer ${token}` });
    await client.until('hello', (stream) => stream.types.includes('hello'));
    await client.until('end', (stream) => stream.isEnded);
    expect(client.types).not.toContain('signed-out');
  });

  it('ends when the server ends, which does not wait for it', async () => {
    const own = await createTestGateway();
    await own.app.listen({ port: 0, host: '127.0.0.1' });
    const page = await own.admin();
    const client = new EventClient(own.app, page.headers());
    await client.until('hello', (stream) => stream.types.includes('hello'));
    const started = Date.now();
    await own.close();
    expect(Date.now() - started).toBeLessThan(5_000);
    await client.until('end', (stream) => stream.isEnded);
  });
});

const claimsOf = (token: string): { userId: string; sid: string; tv: number } => {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string;
    sid: string;
    tv: number;
  };
  return { userId: claims.sub, sid: claims.sid, tv: claims.tv };
};
