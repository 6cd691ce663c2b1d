import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { closeServer } from './close-server.ts';

const HOUR_MS = 3_600_000;

const serverWithRequest = async () => {
  const app = Fastify({ forceCloseConnections: 'idle' });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  app.get('/', async () => {
    asked.resolve();
    return answer.promise;
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const response = fetch(url).then((got) => got.text());
  await asked.promise;
  return { app, answer, response };
};

it('ends as soon as a running request is answered, though its connection could be kept', async () => {
  const { app, answer, response } = await serverWithRequest();
  const closed = closeServer(app, HOUR_MS);
  setTimeout(() => answer.resolve('whole'), 100);
  expect(await response).toBe('whole');
  await closed;
});

it('cuts a request that is not answered in time', async () => {
  const { app, response } = await serverWithRequest();
  await Promise.all([closeServer(app, 100), expect(response).rejects.toThrow()]);
});
