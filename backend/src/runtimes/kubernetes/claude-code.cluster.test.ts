import { podNameOf } from './names.ts';
import { randomUUID } from 'node:crypto';
import { INNER_AUDIENCE, SUBPROTOCOL } from '@sac/contracts';
import jsonwebtoken from 'jsonwebtoken';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { running, TestNamespace } from '../../../test/cluster.ts';
import { SandboxGateway } from '../../../test/sandbox-gateway.ts';
import { startDemoModel, type DemoModel } from '../../demo-model/server.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../runtime.ts';

/** How pods reach this machine. */
const HOST = process.env['SAC_TEST_HOST_ADDRESS'] ?? '10.89.0.1';
const MINUTE_MS = 60_000;
const CREDENTIAL = 'canary-of-the-internal-credential';

const modelPort = async (model: DemoModel): Promise<number> => Number(new URL(model.url).port);

/** What a terminal shows to somebody who comes with an inner token, until `wanted` is in it. @throws when it is closed */
const connectTerminal = (
  sandbox: ObservedSandbox,
  spec: SandboxSpec,
  { wanted = 'Claude Code', key = spec.terminalKey } = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    if (sandbox.upstream?.kind !== 'tcp') return reject(new Error('no address'));
    const claims = { jti: randomUUID(), sub: '1', userName: 'Ada', terminal: 'main', mode: 'control' };
    const token = jsonwebtoken.sign({ ...claims, agentUid: spec.agentUid, generation: spec.generation }, key, {
      algorithm: 'HS256',
      expiresIn: 30,
      audience: INNER_AUDIENCE,
    });
    const { host, port } = sandbox.upstream;
    const socket = new WebSocket(`ws://${host}:${port}/ws`, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${token}` },
    });
    const timer = setTimeout(() => socket.terminate(), 20_000);
    let shown = '';
    socket.on('open', () => socket.send(Buffer.from(JSON.stringify({ columns: 120, rows: 36 }))));
    socket.on('message', (data: Buffer) => {
      shown += data.toString('utf8');
      if (!shown.includes(wanted)) return;
      clearTimeout(timer);
      socket.close();
      resolve(shown);
    });
    socket.on('error', reject);
    socket.on('close', (code) => {
      clearTimeout(timer);
      reject(new Error(`closed with ${code}, after ${shown.slice(-200)}`));
    });
  });

describe('the real Claude Code in a pod', () => {
  const gateway = new SandboxGateway();
  let model: DemoModel;
  let namespace: TestNamespace;
  let runtime: Runtime;
  let spec: SandboxSpec;

  beforeAll(async () => {
    model = await startDemoModel({ port: 0, host: '0.0.0.0' });
    await gateway.listen(0);
    namespace = await TestNamespace.create();
    runtime = namespace.runtime({ internalUrl: `http://${HOST}:${gateway.port}` });
    await runtime.start();
    spec = namespace.spec({
      cli: 'claude-code',
      permissionMode: 'bypass',
      instructions: 'Answer in rhymes.',
      providerToken: 'canary-token',
      internalCredential: CREDENTIAL,
      provider: {
        preset: 'demo',
        protocol: 'anthropic',
        baseUrl: `http://${HOST}:${await modelPort(model)}`,
        models: { main: 'demo-model-1', strong: null, small: null },
      },
    });
    await runtime.ensure(spec);
  });
  afterAll(async () => {
    await namespace.close();
    await gateway.close();
    await model.close();
  });

  const ready = () => gateway.report(({ activity }) => activity.state === 'ready', MINUTE_MS);
  const prompt = (text: string) => gateway.result(gateway.send({ kind: 'prompt', promptId: '1', text }), MINUTE_MS);
  const done = { outcome: 'done', reason: null };

  it('becomes ready, reports with its credential, and its terminal answers', async () => {
    const sandbox = await running(runtime, spec.agentUid);
    await ready();
    expect([...gateway.credentials]).toEqual([`Bearer ${CREDENTIAL}`]);
    await connectTerminal(sandbox, spec);
    await expect(connectTerminal(sandbox, spec, { key: 'k'.repeat(43) })).rejects.toThrow('4001');
  });

  it('answers and runs a tool; after its pod was deleted the file and the conversation are there', async () => {
    expect(await prompt('[[bash: echo made > /workspace/made.txt]]')).toEqual(done);
    await ready();
    const { conversationId } = await gateway.report((report) => report.conversationId !== null);
    gateway.reset();
    await namespace.client.delete(namespace.pathOf('pods', spec.agentUid));
    await gateway.report(({ activity }) => activity.state === 'ready', MINUTE_MS);
    const sandbox = await running(runtime, spec.agentUid);
    expect(await namespace.exec(spec.agentUid, ['cat', '/workspace/made.txt'])).toBe('made\n');
    await connectTerminal(sandbox, spec, { wanted: 'made.txt' });
    expect(await prompt('still-you')).toEqual(done);
    const { conversationId: after } = await gateway.report((report) => report.conversationId !== null);
    expect(after).toBe(conversationId);
  });

  it('sleeps, and wakes with both', async () => {
    await runtime.stop(spec.agentUid, { graceMs: 5_000 });
    expect(await namespace.pod(spec.agentUid)).toBeNull();
    gateway.reset();
    spec = { ...spec, generation: 2, specHash: 'hash-2' };
    await runtime.ensure(spec);
    const sandbox = await running(runtime, spec.agentUid, 2);
    await ready();
    await connectTerminal(sandbox, spec, { wanted: 'still-you' });
  });

  it('has as little as it needs: no right, no token of the cluster, no credential of the gateway', async () => {
    const run = (script: string) => namespace.exec(spec.agentUid, ['/bin/bash', '-c', script]);
    expect(await run('id -u; id -g')).toBe('1000\n1000\n');
    expect(
      await run(
        'grep -h CapEff /proc/self/status; grep -h NoNewPrivs /proc/self/status; grep -h Seccomp: /proc/self/status',
      ),
    ).toBe('CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n');
    expect(
      await run('touch /usr/x /run/sac/inside/x /var/lib/sac/shared/x /etc/sac/secrets/x 2>&1 | grep -c Read-only'),
    ).toBe('4\n');
    expect(await run('ls -d /var/run/secrets/kubernetes.io 2>/dev/null || echo none')).toBe('none\n');
    const places = '/proc/[0-9]*/environ /etc/sac /run/sac /var/lib/sac /home/agent';
    expect(await run(`grep -rls ${CREDENTIAL} ${places} || echo none`)).toBe('none\n');
    expect(await run('git config user.name; echo $HOSTNAME')).toContain(podNameOf(namespace.nameOf(spec.agentUid)));
  });
});
