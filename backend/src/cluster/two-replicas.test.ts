import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody, sandboxReport } from '../../test/agents.ts';
import { connectSidecar, done } from '../../test/sidecar.ts';
import { call, createReplicas, type Replicas } from '../../test/replicas.ts';
import { parseMasterKey } from '../config/keys.ts';
import { internalCredential } from '../lib/agent-keys.ts';
import type { GatewayProcess } from './gateway-process.ts';

let replicas: Replicas;
let one: GatewayProcess;
let two: GatewayProcess;
let token: string;
beforeAll(async () => {
  replicas = await createReplicas();
  [one, two] = [await replicas.start(), await replicas.start()];
  token = await replicas.admin(one);
});
afterAll(() => replicas.close());
const waitFor = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 20_000, interval: 50 });

/** An agent that runs, whose sidecar talks to the second replica; people talk to the first. */
const runningAgent = async (name: string) => {
  const made = await call(`${one.publicUrl}/api/agents`, { token, body: agentBody({ name }) });
  const { id, uid } = made.json() as { id: string; uid: string };
  await call(`${one.publicUrl}/api/sessions`, { token, body: { agentId: id } });
  const { generation } = await waitFor(() => {
    const observed = replicas.runtime.observed().get(uid);
    if (observed?.state !== 'running') throw new Error(`the sandbox is ${observed?.state ?? 'not there'}`);
    return observed;
  });
  const headers = {
    authorization: `Bearer ${internalCredential(parseMasterKey(replicas.masterKey), uid, generation)}`,
  };
  const report = async (): Promise<void> => {
    const body = JSON.stringify(sandboxReport());
    const type = { 'content-type': 'application/json' };
    await fetch(`${two.internalUrl}/internal/report`, { method: 'POST', headers: { ...headers, ...type }, body });
  };
  return { id, uid, headers, report };
};

describe('two replicas on one database', () => {
  it('know who signed in at the other one', async () => {
    const agents = await call(`${two.publicUrl}/api/agents`, { token });
    expect([agents.status, agents.json()['agents']]).toEqual([200, expect.any(Array)]);
  });

  it('show at one what a sandbox says to the other', async () => {
    const agent = await runningAgent('seen');
    await agent.report();
    await waitFor(async () => {
      const { status } = (await call(`${one.publicUrl}/api/agents/${agent.id}`, { token })).json() as {
        status: { state: string };
      };
      expect(status.state).toBe('ready');
    });
  });

  it('deliver a prompt given to one over the connection to the other, once', async () => {
    const agent = await runningAgent('prompted');
    const sidecar = await connectSidecar(two.internalUrl, agent.headers);
    sidecar.answerAll(() => done);
    await agent.report();
    const body = { clientRequestId: 'a'.repeat(20), text: 'hello' };
    const sent = await call(`${one.publicUrl}/api/agents/${agent.id}/prompts`, { token, body });
    expect(sent.status).toBe(201);
    await waitFor(() => expect(sidecar.commands.map(({ kind }) => kind)).toEqual(['prompt']));
    // A sidecar that comes to the other replica while its old connection has not ended yet is told nothing twice.
    const again = await connectSidecar(one.internalUrl, agent.headers);
    await waitFor(() => expect(again.heartbeats()).toBe(1));
    expect(again.commands).toEqual([]);
    for (const each of [sidecar, again]) each.disconnect();
  });

  it('hand on a file that the other one has received', async () => {
    const agent = await runningAgent('given');
    await agent.report();
    const sidecar = await connectSidecar(two.internalUrl, agent.headers);
    let got: Buffer | null = null;
    sidecar.answerAll(async (command) => {
      if (command.kind !== 'writeFile') return done;
      expect(Object.keys(command).sort()).toEqual(['id', 'issuedAt', 'kind', 'name', 'sizeBytes', 'uploadId']);
      const { status, bytes } = await sidecar.fetchUpload(command.uploadId);
      got = status === 200 ? bytes : null;
      expect((await sidecar.fetchUpload('0'.repeat(32))).status).toBe(404);
      return { ...done, value: { path: 'a.bin', sizeBytes: bytes.length } };
    });
    const file = Buffer.alloc(3 * 1024 * 1024, 'abc');
    const sent = await call(`${one.publicUrl}/api/agents/${agent.id}/uploads?name=a.bin`, { token, body: file });
    expect([sent.status, sent.json()]).toEqual([201, { path: 'a.bin', sizeBytes: file.length }]);
    expect(file.equals(got ?? Buffer.alloc(0))).toBe(true);
    sidecar.disconnect();
  });

  it('have one that leads, and another when that one ends', async () => {
    const agent = await runningAgent('led');
    expect(
      replicas.runtime.calls.filter((entry) => entry.startsWith('ensure')).every((entry) => entry === 'ensure 1'),
    ).toBe(true);
    await one.stop({ announceMs: 0 }); // it was there first, so it leads
    await call(`${two.publicUrl}/api/agents/${agent.id}/sleep`, { token, body: {} });
    await waitFor(() => expect(replicas.runtime.observed().get(agent.uid)).toBeUndefined());
    one = await replicas.start();
  });

  it('tell a proxy at one who signed out at the other', async () => {
    const headers = { authorization: `Bearer ${replicas.proxyCredential}` };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(`${two.internalUrl}/internal/revocations`, { headers, agent: false }, resolve).on('error', reject).end();
    });
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await waitFor(() => expect(text).toContain('"current"'));
    const { sid } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string };
    await call(`${one.publicUrl}/api/auth/sign-out-everywhere`, { token, body: {} });
    await waitFor(() => expect(text).toContain(`"${sid}"`));
    response.destroy();
    await once(response, 'close');
  });
});
