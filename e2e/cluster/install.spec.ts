import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@playwright/test';
import { grantsOf, rowsOf } from '../support/accounts.ts';
import {
  attempt,
  cluster,
  helm,
  install,
  kubectl,
  kubectlHere,
  renderedCase,
  renderedChart,
  run,
} from '../support/cluster.ts';

test('helm install ends with all pods ready', async () => {
  const notes = await install();
  expect(notes).toContain('admin-link.js');
  const waiting = await kubectlHere(
    'get',
    'pods',
    '--field-selector=status.phase!=Running,status.phase!=Succeeded',
    '--output',
    'name',
  );
  expect(waiting).toBe('');
});

test('helm test: everything finds everything', async () => {
  const said = await helm(['test'], '--logs', '--timeout', '3m');
  expect(said).not.toContain('FAILED');
  expect(said).toContain('ok      api-gateway is ready, its database too');
  expect(said).toContain('ok      network policies hold');
});

test('the API server accepts every object in its strict mode', async () => {
  await run('kubectl', ['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], await renderedChart());
});

for (const name of ['everything', 'ingress'])
  test(`and those of the values ${name}: Ingress, autoscalers, quotas`, async () => {
    const objects = await renderedCase(name);
    expect(objects).toMatch(
      name === 'ingress' ? /^kind: Ingress$/m : /^kind: (HorizontalPodAutoscaler|ResourceQuota)$/m,
    );
    await run('kubectl', ['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], objects);
  });

test('a namespace of agents refuses a pod with more rights than an agent has', async () => {
  const pod = (security: object) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'intruder', namespace: cluster.agents },
      spec: { containers: [{ name: 'intruder', image: 'busybox', securityContext: security }] },
    });
  for (const security of [{ privileged: true }, { runAsUser: 0 }]) {
    const { ok, text } = await attempt('kubectl', ['create', '--filename', '-'], pod(security));
    expect(ok).toBe(false);
    expect(text).toContain('violates PodSecurity "restricted');
  }
});

test('accounts may do what docs/cluster-accounts.md lists, and nothing else', async () => {
  const table = rowsOf(
    await readFile(fileURLToPath(new URL('../../docs/cluster-accounts.md', import.meta.url)), 'utf8'),
  );
  expect(table.size).toBeGreaterThan(0);
  for (const account of ['api-gateway', 'ws-proxy', 'frontend', 'default']) {
    const name = account === 'default' ? account : `${cluster.release}-${account}`;
    for (const [where, namespace] of [
      ['agents', cluster.agents],
      ['release', cluster.namespace],
      ['elsewhere', 'kube-system'],
    ] as const) {
      const said = await kubectl(
        'auth',
        'can-i',
        '--list',
        '--no-headers',
        `--as=system:serviceaccount:${cluster.namespace}:${name}`,
        '--namespace',
        namespace,
      );
      expect(grantsOf(said), `${account} in ${where}`).toEqual(table.get(`${account} ${where}`) ?? {});
    }
  }
});

test('no pod of ws-proxy, frontend or the database has a token', async () => {
  for (const component of ['ws-proxy', 'frontend', 'postgresql', 'minio', 'demo-model']) {
    const volumes = await kubectlHere(
      'get',
      'pods',
      '--selector',
      `app.kubernetes.io/component=${component}`,
      '--output',
      'jsonpath={.items[*].spec.volumes[*].projected.sources[*].serviceAccountToken.path}',
    );
    expect(volumes, component).toBe('');
  }
});
