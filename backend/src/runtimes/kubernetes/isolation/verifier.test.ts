import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import pino from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ClusterClient } from '../cluster-client.ts';
import { plainParts } from '../testing/examples.ts';
import { probeAnnotations, type ProbeOutcome } from './probe.ts';
import { IsolationVerifier } from './verifier.ts';

interface Stored {
  metadata: { annotations: Record<string, string | null> };
  spec: { replicas: number; template?: { metadata: { annotations: Record<string, string> } } };
}

const WAIT = { timeout: 20_000, interval: 20 };
const HOUR_MS = 3_600_000;
const GOOD: ProbeOutcome = { neighbour: false, apiServer: false, gateway: true };
const NOTHING: ProbeOutcome = { ...GOOD, gateway: false };

/** As much of an API server as the attempt needs; its pods end at once and say `outcome`. */
let server: Server;
let set: Stored | null;
let outcome: ProbeOutcome | null;
let attempts: number;
let client: ClusterClient;
const open: IsolationVerifier[] = [];

const podOf = (): object => ({
  metadata: { annotations: set?.spec.template?.metadata.annotations },
  status: {
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ state: { terminated: { message: JSON.stringify(outcome) } } }],
  },
});
const patched = (type: string | undefined, change: Partial<Stored>): Stored => {
  if (type?.startsWith('application/apply-patch') === true) attempts += 1;
  const annotations = { ...set?.metadata.annotations, ...change.metadata?.annotations };
  for (const [name, value] of Object.entries(annotations)) if (value === null) delete annotations[name];
  return { metadata: { annotations }, spec: { ...set?.spec, ...change.spec } as Stored['spec'] };
};

beforeEach(async () => {
  set = null;
  attempts = 0;
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const url = request.url ?? '';
      if (url.includes('/statefulsets/') && request.method === 'PATCH')
        set = patched(request.headers['content-type'], JSON.parse(body) as Partial<Stored>);
      const found = url.includes('/pods/') ? podOf() : url.includes('/services/') ? {} : set;
      response.statusCode = found === null ? 404 : 200;
      response.end(JSON.stringify(found ?? { reason: 'NotFound' }));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kubeConfig = new KubeConfig();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  kubeConfig.loadFromClusterAndUser({ name: 'test', server: address, skipTLSVerify: true }, { name: 'test' });
  client = new ClusterClient(kubeConfig);
});
afterEach(async () => {
  for (const verifier of open.splice(0)) await verifier.close();
  await client.close();
  server.closeAllConnections();
  server.close();
});

const started = async (): Promise<IsolationVerifier> => {
  const { image, imagePullSecrets, internalUrl, settings: pod } = plainParts;
  const logger = pino({ level: 'silent' });
  const of = { client, logger, namespaces: ['agents'], installId: 'test', image, imagePullSecrets, internalUrl, pod };
  const verifier = new IsolationVerifier({ ...of, roundMs: 50 });
  open.push(verifier);
  await verifier.start();
  return verifier;
};
const foundBefore = (found: ProbeOutcome, agoMs: number): void => {
  const since = new Date(Date.now() - agoMs).toISOString();
  const annotations = { [probeAnnotations.since]: since, [probeAnnotations.result]: JSON.stringify(found) };
  set = { metadata: { annotations }, spec: { replicas: 0 } };
};

it('keeps a good finding while an attempt reaches nothing, says so, and tries again after minutes', async () => {
  foundBefore(GOOD, 25 * HOUR_MS);
  outcome = NOTHING;
  const verifier = await started();
  await vi.waitFor(
    () => expect(verifier.isolation.detail ?? '').toContain('could not be tried again: a pod reached'),
    WAIT,
  );
  expect(verifier.isolation.isolated).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(attempts).toBe(1);
  expect(verifier.isolation.detail).toContain('could not be tried again');

  // Another server knows both, and takes it up five minutes later.
  await verifier.close();
  const since = new Date(Date.now() - 6 * 60_000).toISOString();
  if (set !== null) set.metadata.annotations[probeAnnotations.since] = since;
  outcome = GOOD;
  const other = await started();
  expect(other.isolation.isolated).toBe(true);
  await vi.waitFor(() => expect(other.isolation.detail).toMatch(/reached neither .*Z\.$/), WAIT);
  expect(attempts).toBe(2);
});

it('two servers that begin at the same moment agree on one attempt: the one whose own was replaced waits for the other', async () => {
  outcome = null;
  const both = [await started(), await started()];
  await vi.waitFor(() => expect(attempts).toBe(2), WAIT);
  // Longer than a round: the first one has noticed, and does not say that agents are not kept apart.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (const { isolation } of both) expect(isolation.detail).toContain('being found out right now');
  outcome = GOOD;
  for (const verifier of both)
    await vi.waitFor(() => expect(verifier.isolation.detail).toMatch(/reached neither .*Z\.$/), WAIT);
  expect(attempts).toBe(2);
  await vi.waitFor(() => expect(set?.spec.replicas).toBe(0), WAIT);
});

it('takes what was reached for a finding also after a good one', async () => {
  foundBefore(GOOD, 25 * HOUR_MS);
  outcome = { neighbour: true, apiServer: false, gateway: true };
  const verifier = await started();
  await vi.waitFor(() => expect(verifier.isolation.reason).toContain('reached a pod of another agent'), WAIT);
});

it('where nothing good is known, reaching nothing is no isolation', async () => {
  outcome = NOTHING;
  const verifier = await started();
  await vi.waitFor(() => expect(verifier.isolation.reason).toContain('cannot be told'), WAIT);
});
