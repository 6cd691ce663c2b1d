import { podFiles } from '@sac/contracts';
import { describe, expect, it } from 'vitest';
import { memoryBytes } from '../quantities.ts';
import { exampleIdentity, exampleSpec, fullParts, plainParts } from '../testing/examples.ts';
import { isOwnedBy } from './identity.ts';
import { secretOf } from './secret.ts';
import { serviceOf } from './service.ts';
import { statefulSetOf } from './stateful-set.ts';

describe('objects of a sandbox', () => {
  const identity = exampleIdentity();

  it('are these', () => {
    expect(serviceOf(identity)).toMatchSnapshot('service');
    expect(statefulSetOf(identity, plainParts)).toMatchSnapshot('stateful set');
    const { data, ...secret } = secretOf(identity, exampleSpec);
    expect(secret).toMatchSnapshot('secret');
    const decoded = Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
    expect(Object.fromEntries(decoded)).toMatchSnapshot('content of the secret');
  });

  it('carry every choice of the settings', () => {
    expect(statefulSetOf(identity, fullParts).spec?.template.spec).toMatchSnapshot('pod with all choices');
    expect(statefulSetOf(identity, fullParts).spec?.volumeClaimTemplates).toMatchSnapshot('claim with all choices');
  });

  it('hold no secret outside the Secret', () => {
    const visible = JSON.stringify([serviceOf(identity), statefulSetOf(identity, fullParts)]);
    for (const secret of [exampleSpec.terminalKey, exampleSpec.internalCredential, exampleSpec.providerToken ?? ''])
      expect(visible).not.toContain(secret);
    expect(visible).not.toContain('quoted');
  });

  it('give the credential of the internal listener to the sidecar alone, and the terminal key not to it', () => {
    const pod = statefulSetOf(identity, plainParts).spec!.template.spec!;
    const keysSeenBy = (container: string): string[] => {
      const { volumeMounts = [] } = pod.containers.find(({ name }) => name === container)!;
      const names = new Set(volumeMounts.map(({ name }) => name));
      return pod
        .volumes!.filter(({ name }) => names.has(name))
        .flatMap((each) => each.secret?.items ?? [])
        .map(({ key }) => key);
    };
    expect(keysSeenBy('sidecar')).toEqual([podFiles.configuration, podFiles.credential]);
    expect(keysSeenBy('agent')).not.toContain(podFiles.credential);
  });

  it('cannot fill the disk of a node, and have room for what they may put there', () => {
    const pod = statefulSetOf(identity, plainParts).spec!.template.spec!;
    const bytes = (amount = '') => memoryBytes('An amount', amount);
    const limits = pod.containers.map(({ resources }) => bytes(resources?.limits?.['ephemeral-storage']));
    const directories = pod.volumes!.flatMap(({ emptyDir }) =>
      emptyDir === undefined ? [] : [bytes(emptyDir.sizeLimit)],
    );
    const sum = (amounts: readonly number[]) => amounts.reduce((total, each) => total + each, 0);
    expect(directories).toHaveLength(3);
    // Two logs that nodes cut at 50 MiB each unless they are told otherwise.
    expect(sum(limits)).toBeGreaterThan(sum(directories) + 2 * 50 * 2 ** 20);
    expect(pod.containers.map(({ resources }) => resources?.requests?.['ephemeral-storage'])).toEqual(['0', '0']);
  });

  it('belong to one agent of one installation', () => {
    const service = serviceOf(identity);
    expect(isOwnedBy(service, identity)).toBe(true);
    expect(isOwnedBy(service, { ...identity, installId: 'another' })).toBe(false);
    expect(isOwnedBy(service, { ...identity, agentUid: 'another' })).toBe(false);
    expect(isOwnedBy({}, identity)).toBe(false);
  });
});
