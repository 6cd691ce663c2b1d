import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventClient } from '../../../test/event-client.ts';
import { agentBody } from '../../../test/agents.ts';
import { createTestGateway, PASSWORD, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { inTransaction } from '../../db/transaction.ts';
import { deleteOldEvents, readEventsAfter } from './repository.ts';
import { KEPT_BYTES, KEPT_EVENTS, publishEvent } from './publish.ts';

let test: TestGateway;
const clients: EventClient[] = [];
beforeAll(async () => {
  test = await createTestGateway();
  await test.app.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => test.close());

const listen = async (page: TestBrowser, lastEventId?: string): Promise<EventClient> => {
  const client = new EventClient(test.app, page.headers(), lastEventId);
  clients.push(client);
  await client.until('hello', (stream) => stream.types.includes('hello') || stream.status >= 400);
  return client;
};

const userId = (page: TestBrowser): string => page.user?.id ?? '';
const publish = (page: TestBrowser, agentId: string) =>
  publishEvent(test.db, { userId: userId(page) }, { type: 'agent-deleted', agentId });
const deleted = (client: EventClient): string[] =>
  client.received.flatMap(({ event }) => (event.type === 'agent-deleted' ? [event.agentId] : []));

const KIB = 1024;
/** So many events of this size, without those that publishing would have taken away. */
const store = (page: TestBrowser, count: number, bytes: number) =>
  sql`insert into outbox (user_id, event)
      select ${userId(page)}::bigint, jsonb_build_object('type', 'agent-deleted', 'agentId', repeat('x', ${bytes}::integer))
        from generate_series(1, ${count}::integer)`.execute(test.db);
const kept = async (page: TestBrowser) => {
  const { rows } = await sql<{ events: number; bytes: number; oldest: string; newest: string }>`
    select count(*)::integer as events, sum(bytes)::integer as bytes, min(id) as oldest, max(id) as newest
      from outbox where user_id = ${userId(page)}`.execute(test.db);
  return rows[0] ?? { events: 0, bytes: 0, oldest: '', newest: '' };
};

describe('what is kept for browsers that come back', () => {
  it.each([
    ['events', KEPT_EVENTS + 50, 10],
    ['bytes', 100, 80 * KIB],
  ])('has a bound per account in %s: the oldest go', async (_what, count, bytes) => {
    const [page, other] = [await test.person(`full${bytes}`), await test.person(`other${bytes}`)];
    await publish(other, '1');
    const before = await kept(other);
    await store(page, count, bytes);
    const full = await kept(page);
    await publish(page, '2');
    const left = await kept(page);
    expect(Number(left.newest)).toBeGreaterThan(Number(full.newest));
    expect(Number(left.oldest)).toBeGreaterThan(Number(full.oldest));
    expect(left.events <= KEPT_EVENTS && left.bytes <= KEPT_BYTES).toBe(true);
    // No more than had to go.
    expect(left.events === KEPT_EVENTS || left.bytes > KEPT_BYTES * 0.95).toBe(true);
    expect(await kept(other)).toEqual(before);
    const client = await listen(page, full.oldest);
    await client.until('resync', (stream) => stream.types.includes('resync'));
  });

  it('keeps the newest, however large it is, and all that fits', async () => {
    const page = await test.person('huge');
    await store(page, 3, 10);
    await publish(page, 'x'.repeat(KEPT_BYTES));
    expect((await kept(page)).events).toBe(1);
    await publish(page, '3');
    await publish(page, '4');
    expect((await kept(page)).events).toBe(2);
  });

  it('is trimmed while somebody else deletes of it, without waiting', async () => {
    const page = await test.person('both');
    await store(page, KEPT_EVENTS + 50, 10);
    await test.db.transaction().execute(async (trx) => {
      await sql`delete from outbox where user_id = ${userId(page)} and id in (select id from outbox where user_id = ${userId(page)} order by id limit 60)`.execute(
        trx,
      );
      await publish(page, '5');
    });
    expect((await kept(page)).events).toBeLessThan(KEPT_EVENTS);
  });

  it('is read in pages with a bound in events and bytes, of one event at least', async () => {
    const page = await test.person('pages');
    await store(page, 12, 100 * KIB);
    const read = (afterId: string, events: number, bytes: number) =>
      readEventsAfter(test.db, { userId: userId(page), afterId }, { events, bytes });
    const few = await read('0', 5, 100_000 * KIB);
    expect([few.events.length, few.hasMore]).toEqual([5, true]);
    const small = await read(few.events[4]?.id ?? '', 100, 250 * KIB);
    expect([small.events.length, small.hasMore]).toEqual([3, true]);
    const one = await read(small.events[2]?.id ?? '', 100, 1);
    expect([one.events.length, one.hasMore]).toEqual([1, true]);
    const rest = await read(one.events[0]?.id ?? '', 3, 10_000 * KIB);
    expect([rest.events.length, rest.hasMore, rest.isLost]).toEqual([3, false, false]);
    expect(await read(rest.events[2]?.id ?? '', 3, 1)).toEqual({ events: [], hasMore: false, isLost: false });
  });
});

describe('news of an agent', () => {
  const told = (client: EventClient) =>
    client.received.flatMap(({ event }) => (event.type === 'agent' ? [event.agent] : []));

  it('have its configuration only while that is small', async () => {
    const page = await test.person('conf');
    const client = await listen(page);
    const { id } = (await page.call('createAgent', { body: agentBody({ instructions: 'Ask first.' }) })).body;
    await client.until('agent', () => told(client).some(({ instructions }) => instructions === 'Ask first.'));
    expect(told(client).at(-1)?.environment).toEqual([]);
    const environment = Array.from({ length: 64 }, (_, index) => ({ name: `V${index}`, value: 'x'.repeat(4_000) }));
    await page.call('updateAgent', { params: { agentId: id }, body: { environment, description: 'large' } });
    await client.until('change', () => told(client).some(({ description }) => description === 'large'));
    const news = told(client).at(-1);
    expect([news?.instructions, news?.environment]).toEqual([undefined, undefined]);
    expect(JSON.stringify(news).length).toBeLessThan(8 * KIB);
    const asked = await page.call('getAgent', { params: { agentId: id } });
    expect(asked.body).toMatchObject({ ...news, environment });
  });
});

describe('the event stream', () => {
  it('says hello and brings events of the account, and of nobody else', async () => {
    const [anna, bert] = [await test.person('anna'), await test.person('bert')];
    const [first, second, stranger] = [await listen(anna), await listen(anna), await listen(bert)];
    expect(first.received[0]?.event).toEqual({ type: 'hello', version: '0.0.1-test', staleSince: null });
    expect(first.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(first.headers['x-request-id']).toBeTruthy();
    await publish(anna, '11');
    await first.until('event', (client) => deleted(client).includes('11'));
    await second.until('event', (client) => deleted(client).includes('11'));
    await publish(bert, '12');
    await stranger.until('event', (client) => deleted(client).includes('12'));
    expect(deleted(stranger)).toEqual(['12']);
    expect(deleted(first)).toEqual(['11']);
  });

  it('replays what was missed, in order and once', async () => {
    const page = await test.person('carl');
    const first = await listen(page);
    await publish(page, '21');
    await first.until('event', (client) => deleted(client).length === 1);
    first.close();
    for (const id of ['22', '23', '24']) await publish(page, id);
    const second = await listen(page, first.lastId);
    await second.until('replay', (client) => deleted(client).length === 3);
    expect(deleted(second)).toEqual(['22', '23', '24']);
    expect(second.types).not.toContain('resync');
  });

  it('brings an event of a transaction when that commits, never before', async () => {
    const page = await test.person('dora');
    const client = await listen(page);
    await inTransaction(test.db, async (trx) => {
      await publishEvent(trx, { userId: userId(page) }, { type: 'agent-deleted', agentId: '31' });
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(deleted(client)).toEqual([]);
    });
    await client.until('event', (stream) => deleted(stream).length === 1);
  });

  it('loses and doubles nothing when many publish at once', async () => {
    const page = await test.person('emil');
    const client = await listen(page);
    const ids = Array.from({ length: 200 }, (_, index) => String(index + 1));
    await Promise.all(ids.map((id) => publish(page, id)));
    await client.until('events', (stream) => deleted(stream).length >= 200);
    expect(deleted(client).toSorted((a, b) => Number(a) - Number(b))).toEqual(ids);
    const positions = client.received.map((entry) => Number(entry.id));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
  });

  it('says resync when events are gone for good', async () => {
    const page = await test.person('fred');
    const first = await listen(page);
    await publish(page, '41');
    await first.until('event', (client) => deleted(client).length === 1);
    first.close();
    for (const id of ['42', '43']) await publish(page, id);
    await deleteOldEvents(test.db, new Date(Date.now() + 60_000));
    const second = await listen(page, first.lastId);
    await second.until('resync', (client) => client.types.includes('resync'));
    expect(deleted(second)).toEqual([]);
    second.close();
    // The newest one stays, so who is up to date is not sent away.
    const third = await listen(page, second.lastId);
    await publish(page, '44');
    await third.until('event', (client) => deleted(client).includes('44'));
    expect(third.types).not.toContain('resync');
  });

  it.each(['999999', '0', 'abc', '-1', "1'"])(
    'takes a Last-Event-ID that was never given (%s)',
    async (lastEventId) => {
      const page = await test.person(`odd${String(Math.random()).slice(2, 12)}`);
      const client = await listen(page, lastEventId);
      expect(client.status).toBe(200);
      await publish(page, '51');
      await client.until('event', (stream) => deleted(stream).includes('51'));
    },
  );

  it('does not believe an id of somebody else', async () => {
    const [anna, bert] = [await test.person('owner1'), await test.person('owner2')];
    await publish(anna, '61');
    const newest = await sql<{ id: string }>`select max(id) as id from outbox`.execute(test.db);
    await publish(bert, '62');
    const client = await listen(bert, newest.rows[0]?.id);
    await client.until('resync', (stream) => stream.types.includes('resync'));
  });

  it('sends a reader that is far behind away to load anew', async () => {
    const page = await test.person('gina');
    const first = await listen(page);
    await publish(page, '1');
    await first.until('event', (client) => deleted(client).length === 1);
    first.close();
    await sql`insert into outbox (user_id, event) select ${userId(page)}::bigint, ${JSON.stringify({ type: 'agent-deleted', agentId: '9' })}::jsonb
      from generate_series(1, 2000)`.execute(test.db);
    const second = await listen(page, first.lastId);
    await second.until('resync', (client) => client.types.includes('resync'));
    expect(deleted(second).length).toBeLessThanOrEqual(600);
    await publish(page, '77');
    await second.until('event after resync', (client) => deleted(client).includes('77'));
  });

  it('ends when the browser signs out, and only for that one', async () => {
    const here = await test.person('hugo');
    const there = test.browser();
    await there.call('signIn', { body: { login: 'hugo', password: PASSWORD } });
    const [first, second] = [await listen(here), await listen(there)];
    await here.call('signOut', { body: {} });
    await first.until('end', (client) => client.isEnded);
    expect(first.types.at(-1)).toBe('signed-out');
    await publish(there, '71');
    await second.until('event', (client) => deleted(client).includes('71'));
    expect(second.isEnded).toBe(false);
  });

  it('ends when the account is disabled', async () => {
    const person = await test.person('ines');
    const client = await listen(person);
    await (await test.admin()).call('updateUser', { params: { userId: userId(person) }, body: { status: 'disabled' } });
    await client.until('end', (stream) => stream.isEnded);
    expect(client.types.at(-1)).toBe('signed-out');
  });

  it('tells about changes of the account', async () => {
    const person = await test.person('jana');
    const client = await listen(person);
    await person.call('updateMe', { body: { displayName: 'Jana II' } });
    await client.until('account', (stream) => stream.types.includes('account'));
    expect(client.received.at(-1)?.event).toMatchObject({ type: 'account', user: { displayName: 'Jana II' } });
  });

  it('needs a sign-in and has a limit per account', async () => {
    const nobody = await listen(test.browser());
    expect(nobody.status).toBe(401);
    const page = await test.person('karl');
    for (let index = 0; index < 30; index += 1) expect((await listen(page)).status).toBe(200);
    expect((await listen(page)).status).toBe(429);
  });

  it('goes on, or says that it lost its place, for a reader that did not read', async () => {
    const page = await test.person('lars');
    const client = await listen(page);
    client.pause();
    const text = 'x'.repeat(20_000);
    await sql`insert into outbox (user_id, event) select ${userId(page)}::bigint, jsonb_build_object('type', 'agent-deleted', 'agentId', ${text}::text)
      from generate_series(1, 400)`.execute(test.db);
    await publish(page, 'last');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    client.resume();
    await client.until(
      'end of the queue',
      (stream) => stream.types.includes('resync') || deleted(stream).includes('last'),
    );
  });
});
