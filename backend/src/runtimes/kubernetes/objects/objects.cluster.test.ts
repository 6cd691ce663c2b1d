import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNamespace } from '../../../../test/cluster.ts';
import { pathOf, type ClusterObject } from '../cluster-client.ts';
import { exampleIdentity, exampleSpec, fullParts, plainParts } from '../testing/examples.ts';
import { secretOf } from './secret.ts';
import { serviceOf } from './service.ts';
import { statefulSetOf } from './stateful-set.ts';

describe('the API server takes', () => {
  let namespace: TestNamespace;
  beforeAll(async () => {
    namespace = await TestNamespace.create();
  });
  afterAll(() => namespace.close());

  it.each([
    ['the Secret', 'secrets', () => secretOf(exampleIdentity(namespace.name), exampleSpec)],
    ['the Service', 'services', () => serviceOf(exampleIdentity(namespace.name))],
    ['the StatefulSet', 'statefulsets', () => statefulSetOf(exampleIdentity(namespace.name), plainParts)],
    [
      'the StatefulSet with every choice',
      'statefulsets',
      () => statefulSetOf(exampleIdentity(namespace.name), fullParts),
    ],
  ] as const)('%s, strictly', async (_name, resource, make) => {
    const object = make() as ClusterObject;
    const path = pathOf(resource, namespace.name, object.metadata?.name);
    const taken = await namespace.client.apply(path, object, { dryRun: true });
    expect(taken.metadata?.uid).toBeTypeOf('string');
    expect(await namespace.client.find(path)).toBeNull();
  });

  it('the pod, where Pod Security is restricted', async () => {
    const { template } = statefulSetOf(exampleIdentity(namespace.name), plainParts).spec!;
    const volumes = [...template.spec!.volumes!, { name: 'home', emptyDir: {} }];
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, name: 'example' },
      spec: { ...template.spec, volumes },
    };
    const path = pathOf('pods', namespace.name, 'example');
    await expect(namespace.client.apply(path, pod as ClusterObject, { dryRun: true })).resolves.toBeDefined();
    const privileged = { ...pod, spec: { ...pod.spec, hostNetwork: true } };
    await expect(namespace.client.apply(path, privileged as ClusterObject, { dryRun: true })).rejects.toThrow(
      'PodSecurity',
    );
  });

  it('nothing it does not know', async () => {
    const set = { ...statefulSetOf(exampleIdentity(namespace.name), plainParts), extra: 1 };
    const path = pathOf('statefulsets', namespace.name, set.metadata?.name);
    await expect(namespace.client.apply(path, set as ClusterObject, { dryRun: true })).rejects.toThrow('extra');
  });
});
