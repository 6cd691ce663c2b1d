import { randomUUID } from 'node:crypto';
import { AppsV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAgents } from './end-agents.ts';
import { keysWish, makeSecrets, postgresWish } from './make-secrets.ts';

const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();
const core = kubeConfig.makeApiClient(CoreV1Api);
const apps = kubeConfig.makeApiClient(AppsV1Api);
const namespace = `chart-hook-${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
});
afterAll(async () => {
  await core.deleteNamespace({ name: namespace });
});

const where = { namespace, instance: 'sac' };
const read = async (name: string): Promise<{ version: string | undefined; values: Record<string, string> }> => {
  const { data = {}, metadata } = await core.readNamespacedSecret({ name, namespace });
  const values = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]);
  return { version: metadata?.resourceVersion, values: Object.fromEntries(values) as Record<string, string> };
};

describe('make-secrets', () => {
  test('makes what docs/configure-cluster.md asks for, and a second time changes nothing', async () => {
    expect(await makeSecrets(core, where, [keysWish('keys')])).toEqual(['Secret keys was made.']);
    const made = await read('keys');
    expect(made.values).toEqual({
      'master-key': expect.stringMatching(/^[\w-]{64}$/),
      'access-token-keys': expect.stringMatching(/^1:[\w-]{64}$/),
      'terminal-ticket-keys': expect.stringMatching(/^1:[\w-]{64}$/),
      'ws-proxy-credential': expect.stringMatching(/^[\w-]{64}$/),
      'install-id': expect.stringMatching(/^[a-z0-9-]{36}$/),
    });
    expect(await makeSecrets(core, where, [keysWish('keys')])).toEqual(['Secret keys is there.']);
    expect(await read('keys')).toEqual(made);
  });

  test('adds what a newer version needs, and keeps the rest', async () => {
    const body = { metadata: { name: 'older' }, stringData: { 'master-key': 'as it was' } };
    await core.createNamespacedSecret({ namespace, body });
    await makeSecrets(core, where, [keysWish('older')]);
    const { values } = await read('older');
    expect(values['master-key']).toBe('as it was');
    expect(Object.keys(values).sort()).toEqual(Object.keys(keysWish('older').make()).sort());
  });

  test('fills a Secret that is empty', async () => {
    await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'empty' } } });
    await makeSecrets(core, where, [keysWish('empty')]);
    expect(Object.keys((await read('empty')).values)).toHaveLength(5);
  });

  test('gives no database an address whose password is another one', async () => {
    const body = { metadata: { name: 'half' }, stringData: { password: 'chosen' } };
    await core.createNamespacedSecret({ namespace, body });
    await expect(makeSecrets(core, where, [postgresWish('half', namespace)])).rejects.toThrow(
      'Secret half holds a password or a url without the other.',
    );
    expect((await read('half')).values).toEqual({ password: 'chosen' });
  });
});

describe('end-agents', () => {
  const installId = randomUUID();
  const make = async (name: string, owner: string, component = 'sandbox'): Promise<void> => {
    const labels = {
      'sac.dev/install-id': owner,
      'app.kubernetes.io/component': component,
      'app.kubernetes.io/managed-by': 'sac',
    };
    const metadata = { name, labels };
    await core.createNamespacedService({
      namespace,
      body: { metadata, spec: { clusterIP: 'None', selector: labels } },
    });
    await core.createNamespacedSecret({ namespace, body: { metadata } });
    const requests = { storage: '1Mi' };
    const claim = { metadata, spec: { accessModes: ['ReadWriteOnce'], resources: { requests } } };
    await core.createNamespacedPersistentVolumeClaim({ namespace, body: claim });
    const template = { metadata: { labels }, spec: { containers: [{ name: 'nothing', image: 'busybox' }] } };
    const spec = { replicas: 0, serviceName: name, selector: { matchLabels: labels }, template };
    await apps.createNamespacedStatefulSet({ namespace, body: { metadata, spec } });
  };
  const names = (items: readonly { metadata?: { name?: string } }[]): string[] =>
    items.flatMap(({ metadata }) => metadata?.name ?? []);

  test('ends what runs of this installation, leaves volumes, and touches nothing of another one', async () => {
    await make('agent-1', installId);
    await make('agent-2', installId);
    await make('probe', installId, 'isolation-probe'); // ended as well, and no agent
    await make('stranger', randomUUID());
    const options = { core, apps, namespace, deployment: 'gone', agentNamespaces: [namespace], installId };
    expect(await endAgents({ ...options, timeoutMs: 30_000 })).toBe(2);
    expect(names((await apps.listNamespacedStatefulSet({ namespace })).items)).toEqual(['stranger']);
    expect(names((await core.listNamespacedService({ namespace })).items)).toEqual(['stranger']);
    const secrets = names((await core.listNamespacedSecret({ namespace })).items);
    expect(secrets).toContain('stranger');
    expect(secrets).not.toContain('agent-1');
    const claims = names((await core.listNamespacedPersistentVolumeClaim({ namespace })).items);
    expect(claims).toEqual(['agent-1', 'agent-2', 'probe', 'stranger']);
    expect(await endAgents({ ...options, timeoutMs: 30_000 })).toBe(0);
  });
});
