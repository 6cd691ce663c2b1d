import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { EventClient } from '../../../test/event-client.ts';
import { createTestGateway, type TestGateway } from '../../../test/gateway.ts';
import { createMemoryRuntime } from '../../../test/memory-runtime.ts';
import { signAccessToken } from '../auth/access-token.ts';
import { EventStream } from './event-stream.ts';
import { publishEvent } from './publish.ts';

let test: TestGateway;
beforeAll(async () => {
  test = await createTestGateway();
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(() => test.close());

/** The stream of one who has just come, written to `response`. */
const streamOf = (userId: string, response: Writable): EventStream =>
  new EventStream({
    db: test.db,
    logger: pino({ level: 'silent' }),
    response: response as ServerResponse,
    userId,
    lastEventId: null,
    version: '1',
    staleSince: () => null,
    isAllowed: async () => true,
    expiresAt: new Date(Date.now() + 60_000),
  });

describe('a cluster that does not answer', () => {
  it('is told at the beginning, and when it begins and ends', async () => {
    let since: Date | null = null;
    const runtime = { ...createMemoryRuntime(), stale: () => since && { since, reason: 'it does not answer' } };
    const own = await createTestGateway({ deps: { runtime, tuning: { events: { heartbeatMs: 50 } } } });
    try {
      await own.app.listen({ port: 0, host: '127.0.0.1' });
      const client = new EventClient(own.app, (await own.person('stella')).headers());
      const told = (): unknown[] =>
        client.received.flatMap(({ event }) => (event.type === 'hello' ? [event.staleSince] : []));
      const at = new Date('2026-01-02T03:04:05.000Z');
      for (const [value, expected] of [
        [null, [null]],
        [at, [null, at.toISOString()]],
        [null, [null, at.toISOString(), null]],
      ] as const) {
        since = value;
        await client.until('hello', () => told().length === expected.length);
        expect(told()).toEqual(expected);
      }
      client.close();
    } finally {
      await own.close();
    }
  });
});

describe('lifetime of the event stream', () => {
  it('ends with the access token', async () => {
    const page = await test.admin();
    const { userId, sid, tv } = claimsOf(page.accessToken);
    // A few seconds before its end.
    const issued = new Date(Date.now() - 15 * 60_000 + 5_000);
    const { token } = signAccessToken(test.keys.accessToken, { userId, authSessionId: sid, tokenVersion: tv }, issued);
    const client = new EventClient(test.app, { ...page.headers(), authorization: `Bearer ${token}` });
    await client.until('hello', (stream) => stream.types.includes('hello'));
    await client.until('end', (stream) => stream.isEnded);
    expect(client.types).not.toContain('signed-out');
  });

  it('keeps little in memory for a reader that takes nothing, and no connection for long', async () => {
    const { accessToken } = await test.admin();
    const { userId } = claimsOf(accessToken);
    const response = new Writable({ write: () => undefined });
    const stream = streamOf(userId, response);
    await stream.start();
    // Part of what may wait is there already when the next page is read.
    await publishEvent(test.db, { userId }, { type: 'agent-deleted', agentId: 'x'.repeat(200_000) });
    stream.wake();
    await vi.waitFor(() => expect(response.writableLength).toBeGreaterThan(200_000));
    const text = 'x'.repeat(20_000);
    await sql`insert into outbox (user_id, event) select ${userId}::bigint, jsonb_build_object('type', 'agent-deleted', 'agentId', ${text}::text)
      from generate_series(1, 400)`.execute(test.db);
    stream.wake();
    await vi.waitFor(() => expect(response.writableLength).toBeGreaterThan(256 * 1024));
    await sleep(500);
    // Of 8 MB: what may wait, and the event that went beyond it.
    expect(response.writableLength).toBeLessThan(256 * 1024 + 25_000);
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    stream.end();
    vi.advanceTimersByTime(15_000);
    expect(response.destroyed).toBe(true);
  });

  it('says that events were missed when those behind its position were deleted', async () => {
    const { accessToken } = await test.admin();
    const { userId } = claimsOf(accessToken);
    const publish = (agentId: string) => publishEvent(test.db, { userId }, { type: 'agent-deleted', agentId });
    await publish('1');
    const sent: string[] = [];
    const response = new Writable({ write: (chunk, _encoding, done) => done(void sent.push(String(chunk))) });
    const stream = streamOf(userId, response);
    await stream.start();
    for (const agentId of ['2', '3']) await publish(agentId);
    await sql`delete from outbox where user_id = ${userId} and id < (select max(id) from outbox where user_id = ${userId})`.execute(
      test.db,
    );
    stream.wake();
    await vi.waitFor(() => expect(sent.join('')).toContain('"type":"resync"'));
    await publish('4');
    stream.wake();
    await vi.waitFor(() => expect(sent.join('')).toContain('"agentId":"4"'));
    expect(sent.join('')).not.toContain('"agentId":"3"');
    stream.end();
  });

  it('does not begin for a browser that has gone while the database was slow', async () => {
    const page = await test.admin();
    const metrics = async (): Promise<string> =>
      (await test.app.inject({ url: '/metrics', headers: { ...page.headers(), 'x-forwarded-for': '10.9.9.9' } })).body;
    await test.db.transaction().execute(async (trx) => {
      await sql`lock table auth_sessions in access exclusive mode`.execute(trx);
      const client = new EventClient(test.app, page.headers());
      await sleep(200);
      client.close();
      await sleep(100);
    });
    await vi.waitFor(async () => expect(await metrics()).toMatch(/^sac_event_streams 0$/m));
  });

  it('brings nothing from before its hello, whatever is published while it begins', async () => {
    const page = await test.admin();
    const { userId } = claimsOf(page.accessToken);
    const event = { type: 'agent-deleted', agentId: '77' } as const;
    await publishEvent(test.db, { userId }, event);
    const clients: EventClient[] = [];
    await test.db.transaction().execute(async (trx) => {
      // Looking for the newest event waits; a wake-up for another reason comes meanwhile.
      await sql`lock table outbox in access exclusive mode`.execute(trx);
      for (let count = 0; count < 3; count += 1) clients.push(new EventClient(test.app, page.headers()));
      await sleep(300);
      await sql`select pg_notify('sac_outbox', ${`${userId}:1`})`.execute(test.db);
      await sleep(300);
    });
    for (const client of clients) {
      await client.until('hello', (stream) => stream.types.includes('hello'));
      await sleep(100);
      expect(client.types).toEqual(['hello']);
      client.close();
    }
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
