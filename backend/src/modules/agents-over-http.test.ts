import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UPLOAD_MAX_BYTES, type Agent } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody, sandboxReport } from '../../test/agents.ts';
import { createTestGateway, TEST_HOST, type TestBrowser, type TestGateway } from '../../test/gateway.ts';
import { connectSidecar } from '../../test/sidecar.ts';
import { internalCredential } from '../lib/agent-keys.ts';

let server: TestGateway;
let ada: TestBrowser;
let port: number;
let internalUrl: string;

beforeAll(async () => {
  server = await createTestGateway();
  ada = await server.person('ada');
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = server.app.server.address() as AddressInfo);
  internalUrl = await server.gateway.internal.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.close());

const running = async (): Promise<{ agent: Agent; headers: { authorization: string } }> => {
  const agent = (await ada.call('createAgent', { body: agentBody() })).body;
  expect((await ada.call('openSession', { body: { agentId: agent.id } })).status).toBe(201);
  await vi.waitFor(() => expect(server.runtime.observed().get(agent.uid)?.state).toBe('running'));
  const headers = { authorization: `Bearer ${internalCredential(server.keys.master, agent.uid, 1)}` };
  const reported = await fetch(`${internalUrl}/internal/report`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(sandboxReport()),
  });
  expect(reported.status).toBe(204);
  return { agent, headers };
};

/** Sends a body piece by piece and reads the answer; the server may answer before all of it was sent. */
const upload = (agentId: string, name: string, pieces: Iterable<Buffer>, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; body: { code?: string; path?: string; sizeBytes?: number } }>((resolve, reject) => {
    const path = `/api/agents/${agentId}/uploads?name=${encodeURIComponent(name)}`;
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        agent: false,
        headers: { ...ada.headers(), host: TEST_HOST, 'content-type': 'application/octet-stream', ...headers },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => {
          sent.destroy();
          resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as { code?: string } });
        });
      },
    );
    let answered = false;
    sent.on('response', () => (answered = true));
    sent.on('error', (error) => answered || reject(error));
    const iterator = pieces[Symbol.iterator]();
    const more = (): void => {
      for (let next = iterator.next(); ; next = iterator.next()) {
        if (answered || sent.destroyed) return;
        if (next.done) return void sent.end();
        if (!sent.write(next.value)) return void sent.once('drain', more);
      }
    };
    more();
  });

describe('bad input to agents', () => {
  const valid = agentBody();
  const cases: readonly [string, object][] = [
    ['an unknown field', { ...valid, owner: '1' }],
    ['a missing field', { ...valid, name: undefined }],
    ['a number for a name', { ...valid, name: 7 }],
    ['an empty name', { ...valid, name: '' }],
    ['a blank end', { ...valid, name: 'x ' }],
    ['a control character', { ...valid, name: 'a\u0007b' }],
    ['a line break', { ...valid, name: 'a\nb' }],
    ['a direction override', { ...valid, name: 'a\u202egnp' }],
    ['a zero-width character', { ...valid, name: 'a\u200bb' }],
    ['a name of 1 MB', { ...valid, name: 'a'.repeat(100_000) }],
    ['an unknown CLI', { ...valid, cli: 'emacs' }],
    ['a NUL in the instructions', { ...valid, instructions: 'a\u0000b' }],
    ['a variable name with a space', { ...valid, environment: [{ name: 'A B', value: '' }] }],
    [
      '65 variables',
      { ...valid, environment: Array.from({ length: 65 }, (_value, index) => ({ name: `V${index}`, value: '' })) },
    ],
    [
      'a provider address of another kind',
      { ...valid, provider: { ...valid.provider, baseUrl: 'file:///etc/passwd' } },
    ],
    ['a token with a line break', { ...valid, providerToken: 'a\r\nx-evil: 1' }],
  ];

  it.each(cases)('%s is refused with the field', async (_name, body) => {
    const answer = await ada.call('createAgent', { body });
    expect(answer).toMatchObject({ status: 400, error: { code: 'invalid_request' } });
    expect(answer.error.details?.fields?.length).toBeGreaterThan(0);
  });

  it('a body beyond the limit is refused', async () => {
    expect(await ada.call('createAgent', { body: { ...valid, name: 'a'.repeat(1_048_576) } })).toMatchObject({
      status: 413,
    });
  });

  it.each(['0', '-1', 'abc', '1e3', '99999999999999999999', '%00'])('the id %s is refused', async (agentId) => {
    const { status } = await ada.call('getAgent', { params: { agentId } });
    expect([400, 404]).toContain(status);
  });

  it('nothing is answered to nobody', async () => {
    const nobody = server.browser();
    for (const name of [
      'listAgents',
      'createAgent',
      'getAgent',
      'updateAgent',
      'deleteAgent',
      'openSession',
      'createTicket',
      'sendPrompt',
      'uploadFile',
      'testConnection',
    ] as const) {
      expect(await nobody.call(name, { params: { agentId: '1', sessionId: '1', name: 'main' } })).toMatchObject({
        status: 401,
      });
    }
  });

  it('the internal listener is not on the public side, nor the public one inside', async () => {
    for (const url of ['/internal/commands', '/internal/report'])
      expect((await server.app.inject({ url, headers: { host: TEST_HOST } })).statusCode).not.toBe(200);
    expect((await server.gateway.internal.inject({ url: '/api/agents', headers: ada.headers() })).statusCode).not.toBe(
      200,
    );
  });
});

describe('an upload over the wire', () => {
  it('reaches the workspace byte by byte', async () => {
    const { agent, headers } = await running();
    const sidecar = await connectSidecar(internalUrl, headers);
    let got: Buffer = Buffer.alloc(0);
    sidecar.answerAll(async (command) => {
      if (command.kind === 'writeFile') got = (await sidecar.fetchUpload(command.uploadId)).bytes;
      return { outcome: 'done', reason: null, value: { path: '/workspace/uploads/a.bin', sizeBytes: got.length } };
    });
    const pieces = Array.from({ length: 20 }, (_value, index) => Buffer.alloc(100_000, index));
    expect(await upload(agent.id, 'a.bin', pieces)).toEqual({
      status: 201,
      body: { path: '/workspace/uploads/a.bin', sizeBytes: 2_000_000 },
    });
    expect(got.equals(Buffer.concat(pieces))).toBe(true);
    sidecar.disconnect();
  });

  it('is stopped at the limit, announced or not, and needs the right type', async () => {
    const { agent } = await running();
    const piece = Buffer.alloc(1024 * 1024);
    function* tooMuch(): Generator<Buffer> {
      for (let sent = 0; sent <= UPLOAD_MAX_BYTES; sent += piece.length) yield piece;
    }
    expect(await upload(agent.id, 'a', [piece], { 'content-length': String(UPLOAD_MAX_BYTES + 1) })).toMatchObject({
      status: 413,
    });
    expect(await upload(agent.id, 'a', tooMuch())).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    expect(await upload(agent.id, 'a', [Buffer.from('{}')], { 'content-type': 'text/html' })).toMatchObject({
      status: 415,
    });
  });
});

describe('prompts over the wire', () => {
  it('of 64 KiB in any characters are taken, larger ones are not', async () => {
    const agent = (await ada.call('createAgent', { body: agentBody() })).body;
    const send = (text: string, id: string) =>
      ada.call('sendPrompt', { params: { agentId: agent.id }, body: { clientRequestId: id, text } });
    // In JSON each of these takes six bytes; a prompt of nothing visible is refused.
    expect(await send(`x${'\u0001'.repeat(65_535)}`, 'request-1')).toMatchObject({ status: 201 });
    expect(await send('語'.repeat(21_846), 'request-2')).toMatchObject({
      status: 413,
      error: { code: 'payload_too_large' },
    });
    expect(await send('x'.repeat(65_537), 'request-3')).toMatchObject({ status: 400 });
  });
});

describe('an account that is disabled', () => {
  it('ends its agents; enabled again, they come back', async () => {
    const [root, eve] = [await server.admin(), await server.person('eve')];
    const agent = (await eve.call('createAgent', { body: agentBody() })).body;
    await eve.call('openSession', { body: { agentId: agent.id } });
    const observed = () => server.runtime.observed().get(agent.uid);
    await vi.waitFor(() => expect(observed()).toMatchObject({ state: 'running', generation: 1 }));
    const change = (status: 'active' | 'disabled') =>
      root.call('updateUser', { params: { userId: eve.user?.id ?? '' }, body: { status } });
    expect((await change('disabled')).status).toBe(200);
    await vi.waitFor(() => expect(observed()).toBeUndefined());
    expect((await change('active')).status).toBe(200);
    await vi.waitFor(() => expect(observed()).toMatchObject({ state: 'running', generation: 2 }));
  });
});
