import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts';
import { createCommandStreams } from './command-stream.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

it('is not opened for a sidecar that has gone while its credential was checked', async () => {
  const notifications = { subscribe: () => () => undefined, close: async () => undefined };
  const streams = createCommandStreams({ db: database.db, notifications, logger: pino({ level: 'silent' }) });
  const wrote = Promise.withResolvers<boolean>();
  const server = createServer((_request, response) => {
    const write = vi.spyOn(response, 'write');
    response.once('close', () => {
      streams.open({ agentId: '1', agentUid: 'a', ownerId: '1', generation: 1 }, response);
      wrote.resolve(write.mock.calls.length > 0);
    });
    asked.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const asked = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  asked.on('error', () => undefined).end();
  expect(await wrote.promise).toBe(false);
  streams.close();
  server.close();
});
