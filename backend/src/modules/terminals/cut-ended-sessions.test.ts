import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestGateway, PASSWORD, type TestBrowser, type TestGateway } from '../../../test/gateway.ts';
import { createNotificationHub } from '../../db/listen.ts';
import { AUTH_CHANNEL, endedPayloads, readEndedPayload } from '../auth/channel.ts';
import { createSessionsService } from '../auth/sessions.ts';
import { createEndedReader, cutEndedSessions } from './cut-ended-sessions.ts';

let test: TestGateway;
let cut: string[];
beforeAll(async () => {
  test = await createTestGateway({ deps: { revokeTerminals: (ids) => cut.push(...ids) } });
});
beforeEach(() => {
  cut = [];
});
afterAll(() => test.close());

const sessionOf = (page: TestBrowser): string => {
  const claims = JSON.parse(Buffer.from(page.accessToken.split('.')[1] ?? '', 'base64url').toString()) as {
    sid: string;
  };
  return claims.sid;
};
const again = async (username: string): Promise<TestBrowser> => {
  const page = test.browser();
  await page.call('signIn', { body: { login: username, password: PASSWORD } });
  return page;
};
const isCut = (...pages: TestBrowser[]) =>
  vi.waitFor(() => expect(cut.toSorted()).toEqual(pages.map(sessionOf).toSorted()));

describe('terminals are cut', () => {
  it('when this browser signs out, and in no other', async () => {
    const page = await test.person('anna');
    await again('anna');
    await page.call('signOut');
    await isCut(page);
  });

  it('when another browser is signed out from the list, and everywhere', async () => {
    const [first, second] = [await test.person('bert'), await again('bert')];
    await first.call('revokeAuthSession', { params: { authSessionId: sessionOf(second) } });
    await isCut(second);
    const third = await again('bert');
    cut = [];
    await first.call('signOutEverywhere');
    await isCut(first, third);
  });

  it('in the other browsers when the password changes', async () => {
    const [first, second] = [await test.person('carl'), await again('carl')];
    const body = { currentPassword: PASSWORD, newPassword: 'a different long password' };
    expect((await first.call('changePassword', { body })).status).toBe(204);
    await isCut(second);
  });

  it('when an admin disables the account, and when an admin stops being one', async () => {
    const admin = await test.admin();
    const [dora, emil] = [await test.person('dora'), await test.person('emil', 'admin')];
    cut = [];
    const change = (page: TestBrowser, body: object) =>
      admin.call('updateUser', { params: { userId: page.user?.id ?? '' }, body });
    await change(dora, { status: 'disabled' });
    await isCut(dora);
    cut = [];
    await change(emil, { role: 'user' });
    await isCut(emil);
  });

  it('when a refresh token is used twice', async () => {
    const page = await test.person('fred');
    const thief = page.copy();
    await test.db
      .updateTable('auth_sessions')
      .set({ rotated_at: new Date(0) })
      .execute();
    await page.call('refresh');
    await test.db
      .updateTable('auth_sessions')
      .set({ rotated_at: new Date(0) })
      .execute();
    expect((await thief.call('refresh')).status).toBe(401);
    await isCut(page);
  });

  it('also for what ended while nobody listened', async () => {
    const page = await test.person('gina');
    await page.call('signOut');
    const logger = pino({ level: 'silent' });
    const notifications = createNotificationHub({ url: test.databaseUrl, logger });
    const later: string[] = [];
    const stop = cutEndedSessions({
      sessions: createSessionsService({ db: test.db, keys: test.keys, logger }),
      notifications,
      logger,
      revokeTerminals: (ids) => later.push(...ids),
    });
    await vi.waitFor(() => expect(later).toContain(sessionOf(page)));
    stop();
    await notifications.close();
  });
});

describe('what ended since the last time', () => {
  it.each([300_000, -300_000])('is read by the clock of the database, %i ms from this one', async (aheadMs) => {
    const asked: number[] = [];
    let databaseMs = Date.now() + aheadMs;
    const read = createEndedReader({
      clock: () => Promise.resolve(databaseMs),
      endedSince: (since) => {
        asked.push(databaseMs - since.getTime());
        return Promise.resolve([]);
      },
    });
    await read(() => undefined);
    databaseMs += 15_000;
    await read(() => undefined);
    expect(asked).toEqual([24 * 3_600_000 + 60_000, 15_000 + 60_000]);
  });

  it('the clock of the database is read in milliseconds', async () => {
    const sessions = createSessionsService({ db: test.db, keys: test.keys, logger: pino({ level: 'silent' }) });
    const difference = Date.now() - (await sessions.clock());
    expect(Math.abs(difference)).toBeLessThan(5_000); // the database of the tests is on this machine
  });
});

describe('the notification', () => {
  it('fits for any number of browser sessions, and says which', async () => {
    const authSessionIds = Array.from(
      { length: 700 },
      (_value, index) => `${9_000_000_000_000_000_000n + BigInt(index)}`,
    );
    const payloads = endedPayloads({ userId: '9223372036854775807', authSessionIds });
    expect(payloads.map((payload) => Buffer.byteLength(payload) < 8_000)).toEqual([true, true, true]);
    expect(payloads.flatMap((payload) => readEndedPayload(payload).authSessionIds)).toEqual(authSessionIds);
    expect(AUTH_CHANNEL).toMatch(/^[a-z_]+$/);
    expect(endedPayloads({ userId: '1', authSessionIds: [] })).toEqual([]);
  });
});
