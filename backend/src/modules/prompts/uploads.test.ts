import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { UPLOAD_MAX_BYTES, type Agent } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { connectSidecar, type TestSidecar } from '../../../test/sidecar.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { createUploadStore } from './upload-store.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let agent: Agent;
let sidecar: TestSidecar;

beforeAll(async () => {
  fixture = await createAgentsFixture();
  ada = await fixture.person('ada');
  agent = await fixture.call('createAgent', ada, { body: agentBody() });
});
afterAll(async () => {
  sidecar.disconnect();
  await fixture.close();
});

const upload = (stream: Readable, name = 'photo.png', signal?: AbortSignal) =>
  fixture.call('uploadFile', ada, {
    params: { agentId: agent.id },
    query: { name },
    stream,
    ...(signal && { signal }),
  });
const leftovers = () => readdir(fixture.uploadDir);

describe('room for uploads', () => {
  it('is shared by all that are on their way, and free again when one has arrived or failed', async () => {
    const store = createUploadStore(fixture.uploadDir, 1_000_000);
    const { signal } = new AbortController();
    const put = (sizeBytes: number) => store.store('an-agent', Readable.from([Buffer.alloc(sizeBytes)]), signal);
    const first = await put(700_000);
    await expect(put(400_000)).rejects.toMatchObject({ code: 'storage_full' });
    await (await put(200_000)).dispose();
    await first.dispose();
    await first.dispose();
    await (await put(1_000_000)).dispose();
    expect(await leftovers()).toEqual([]);
  });
});

describe('uploading a file', () => {
  it('is refused while the agent sleeps', async () => {
    await expect(upload(Readable.from(['x']))).rejects.toMatchObject({ code: 'asleep' });
  });

  it('answers when the sandbox has the file, and leaves nothing behind', async () => {
    await fixture.call('openSession', ada, { body: { agentId: agent.id } });
    await vi.waitFor(() => expect(fixture.runtime.observed().get(agent.uid)?.state).toBe('running'));
    sidecar = await connectSidecar(fixture.internalUrl, fixture.sidecar(agent.uid, 1));
    const content = randomBytes(3_000_000);
    let arrived: Buffer = Buffer.alloc(0);
    sidecar.answerAll(async (command) => {
      if (command.kind !== 'writeFile') return { outcome: 'failed', reason: 'unexpected' };
      arrived = (await sidecar.fetchUpload(command.uploadId)).bytes;
      return {
        outcome: 'done',
        reason: null,
        value: { path: `/workspace/uploads/${command.name}`, sizeBytes: arrived.length },
      };
    });
    expect(await upload(Readable.from([content]), '../../x/photo\n.png')).toEqual({
      path: '/workspace/uploads/photo_.png',
      sizeBytes: content.length,
    });
    expect(arrived.equals(content)).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it('is not readable for another sandbox, nor afterwards for its own', async () => {
    const bob = await fixture.person('bob');
    const other = await fixture.call('createAgent', bob, { body: agentBody() });
    await fixture.call('openSession', bob, { body: { agentId: other.id } });
    await vi.waitFor(() => expect(fixture.runtime.observed().get(other.uid)?.state).toBe('running'));
    const stranger = await connectSidecar(fixture.internalUrl, fixture.sidecar(other.uid, 1));
    let uploadId = '';
    const statuses: number[] = [];
    sidecar.answerAll(async (command) => {
      uploadId = command.kind === 'writeFile' ? command.uploadId : '';
      statuses.push((await stranger.fetchUpload(uploadId)).status);
      return { outcome: 'done', reason: null, value: { path: '/workspace/uploads/a', sizeBytes: 1 } };
    });
    await upload(Readable.from(['x']));
    statuses.push((await sidecar.fetchUpload(uploadId)).status, (await sidecar.fetchUpload('../../etc/passwd')).status);
    expect(statuses).toEqual([404, 404, 404]);
    stranger.disconnect();
  });

  it('says when the disk of the sandbox is full, or what else went wrong', async () => {
    sidecar.answerAll(() => ({ outcome: 'failed', reason: 'ENOSPC: no space left on device, write' }));
    await expect(upload(Readable.from(['x']))).rejects.toMatchObject({ code: 'storage_full' });
    sidecar.answerAll(() => ({ outcome: 'failed', reason: 'the workspace is read-only' }));
    await expect(upload(Readable.from(['x']))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('read-only') as string,
    });
    expect(await leftovers()).toEqual([]);
  });

  it('stops at the limit although no length was announced', async () => {
    const chunk = Buffer.alloc(1024 * 1024);
    const endless = Readable.from(
      (function* () {
        for (let sent = 0; sent <= UPLOAD_MAX_BYTES; sent += chunk.length) yield chunk;
      })(),
    );
    await expect(upload(endless)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(await leftovers()).toEqual([]);
  });

  it('is given up when the browser goes away', async () => {
    const abort = new AbortController();
    const stalled = new Readable({ read: () => undefined });
    stalled.push('x');
    const result = upload(stalled, 'a.txt', abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(result).rejects.toThrow();
    expect(await leftovers()).toEqual([]);
  });

  it('is refused in words when it takes too long, before the HTTP server cuts the connection', async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const spy = vi
      .spyOn(AbortSignal, 'timeout')
      .mockImplementation((ms) => timeout(ms > 5 * 60_000 && ms < 10 * 60_000 ? 50 : ms));
    onTestFinished(() => spy.mockRestore());
    const stalled = new Readable({ read: () => undefined });
    await expect(upload(stalled)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^The file has not arrived within \d minutes\./) as string,
    });
    expect(await leftovers()).toEqual([]);
  });

  it('is limited in number at a time', async () => {
    const abort = new AbortController();
    const stalled = Array.from({ length: 4 }, () =>
      upload(new Readable({ read: () => undefined }), 'a', abort.signal).catch(() => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await expect(upload(Readable.from(['x']))).rejects.toMatchObject({ code: 'rate_limited' });
    abort.abort();
    await Promise.all(stalled);
    sidecar.answerAll(() => ({ outcome: 'done', reason: null, value: { path: '/workspace/uploads/a', sizeBytes: 1 } }));
    await expect(upload(Readable.from(['x']))).resolves.toMatchObject({ sizeBytes: 1 });
  });
});

describe('upload store', () => {
  it('removes what a killed process left, and nothing else', async () => {
    await writeFile(join(fixture.uploadDir, 'a'.repeat(32)), 'left over');
    await writeFile(join(fixture.uploadDir, 'not-ours.txt'), 'kept');
    await createUploadStore(fixture.uploadDir, null).prepare();
    expect(await leftovers()).toEqual(['not-ours.txt']);
  });
});
