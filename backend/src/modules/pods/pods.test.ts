import { noPodLimits, noPodValues, type PodLimits, type PodValues } from '@sac/contracts';
import { describe, expect, it } from 'vitest';
import { defaultAgentPod } from '../../config/cluster.ts';
import type { AppError } from '../../lib/app-error.ts';
import { noLongerAllowed } from './allowed.ts';
import { changedPodValues } from './own-values.ts';
import { assertPodSettings } from './setting-rules.ts';
import {
  effectiveValues,
  readPodLimits,
  readPodValues,
  sandboxPodOf,
  type Installation,
  type PodLevels,
} from './values.ts';

const installation: Installation = {
  agentImage: 'registry.example/sac-agent:1',
  pod: defaultAgentPod,
  limits: { cpu: '16', memory: '64Gi', storage: '200Gi', egress: 'internet' },
  images: ['registry.example/data:2', 'registry.example/team/*'],
  runtimeClasses: ['gvisor'],
};

interface Given {
  readonly system?: { readonly values?: Partial<PodValues>; readonly limits?: Partial<PodLimits> };
  readonly user?: { readonly values?: Partial<PodValues>; readonly limits?: Partial<PodLimits> };
}
const levelsOf = (given: Given = {}): PodLevels => {
  const level = (one: Given['user'] = {}) => ({
    values: { ...noPodValues, ...one.values },
    limits: { ...noPodLimits, ...one.limits },
  });
  return { system: level(given.system), user: level(given.user) };
};
const effective = (own: Partial<PodValues> = {}, given: Given = {}): PodValues =>
  effectiveValues(installation, levelsOf(given), { ...noPodValues, ...own });

describe('the values of a pod', () => {
  it('are those of the installation where nobody says anything, and then nothing is particular', () => {
    expect(effective()).toEqual({
      cpuRequest: '250m',
      cpuLimit: '2',
      memoryRequest: '1Gi',
      memoryLimit: '4Gi',
      storageSize: '10Gi',
      image: 'registry.example/sac-agent:1',
      egress: 'internet',
      runtimeClass: null,
    });
    expect(sandboxPodOf(installation, effective())).toBeNull();
  });

  it('come from the nearest level that says something', () => {
    const given = {
      system: { values: { memoryLimit: '6Gi', cpuLimit: '3' } },
      user: { values: { memoryLimit: '7Gi' } },
    };
    expect(effective({}, given)).toMatchObject({ memoryLimit: '7Gi', cpuLimit: '3' });
    expect(effective({ memoryLimit: '8Gi', egress: 'none' }, given)).toMatchObject({
      memoryLimit: '8Gi',
      cpuLimit: '3',
      egress: 'none',
    });
  });

  it('never exceed the limits of today, and what is asked for follows', () => {
    const given = { user: { limits: { memory: '512Mi', cpu: '100m', storage: '5Gi', egress: 'proxy' } } } as const;
    expect(effective({ memoryLimit: '8Gi' }, given)).toMatchObject({
      memoryLimit: '512Mi',
      memoryRequest: '512Mi',
      cpuLimit: '100m',
      cpuRequest: '100m',
      storageSize: '5Gi',
      egress: 'proxy',
    });
    // The nearest level decides about limits too: somebody may be given more than everybody.
    const more = { system: { limits: { memory: '2Gi' } }, user: { limits: { memory: '8Gi' } } };
    expect(effective({ memoryLimit: '8192Mi' }, more)).toMatchObject({ memoryLimit: '8192Mi' });
  });

  it('give a limit where the installation has none', () => {
    const open = { ...installation, pod: { ...defaultAgentPod, resources: { requests: {}, limits: {} } } };
    const values = effectiveValues(open, levelsOf(), noPodValues);
    expect(values).toMatchObject({ cpuLimit: '16', memoryLimit: '64Gi', cpuRequest: null });
    const limitless = { ...open, limits: noPodLimits };
    expect(effectiveValues(limitless, levelsOf(), noPodValues).cpuLimit).toBeNull();
  });

  it('reach the runtime as what differs, with resources the installation knows of its own', () => {
    const special = {
      ...installation,
      pod: { ...defaultAgentPod, resources: { requests: { cpu: '1' }, limits: { 'example.com/gpu': '1' } } },
    };
    const own = { ...noPodValues, cpuLimit: '4', image: 'registry.example/data:2', runtimeClass: 'gvisor' };
    const values = effectiveValues({ ...special, limits: noPodLimits }, levelsOf(), own);
    expect(sandboxPodOf(special, values)).toEqual({
      resources: { requests: { cpu: '1' }, limits: { cpu: '4', 'example.com/gpu': '1' } },
      image: 'registry.example/data:2',
      runtimeClassName: 'gvisor',
    });
  });

  it('are read from what is stored as far as it is one of them', () => {
    expect(readPodValues({})).toEqual(noPodValues);
    expect(readPodValues(undefined)).toEqual(noPodValues);
    const stored = { memoryLimit: '2Gi', egress: 'everything', later: 1, cpuLimit: 4 };
    expect(readPodValues(stored)).toEqual({ ...noPodValues, memoryLimit: '2Gi' });
    expect(readPodLimits({ cpu: '2', memory: 7 })).toEqual({ ...noPodLimits, cpu: '2' });
  });

  it('that were allowed once keep an agent from starting, in words', () => {
    expect(noLongerAllowed(installation, effective({ image: 'registry.example/team/x:1' }))).toBeNull();
    expect(noLongerAllowed(installation, effective({ image: 'elsewhere/x:1' }))).toMatchObject({
      code: 'image_not_allowed',
      fix: expect.stringContaining('registry.example/data:2') as string,
    });
    expect(noLongerAllowed(installation, effective({ runtimeClass: 'runc' }))).toMatchObject({
      code: 'runtime_class_not_allowed',
    });
  });
});

const refusal = (act: () => unknown): { path: string; message: string } => {
  try {
    act();
  } catch (error) {
    const [field] = (error as AppError).details?.fields ?? [];
    return { path: field?.path ?? '', message: (error as AppError).message };
  }
  throw new Error('it was not refused');
};
const change = (values: Partial<PodValues>, more: Partial<Parameters<typeof changedPodValues>[0]> = {}) =>
  changedPodValues({
    installation,
    levels: levelsOf(),
    stored: noPodValues,
    change: values,
    hasVolume: false,
    ...more,
  });

describe('a change of an agent', () => {
  it('keeps what it does not name', () => {
    const stored = { ...noPodValues, memoryLimit: '8Gi' };
    expect(change({ cpuLimit: '3' }, { stored })).toEqual({ ...stored, cpuLimit: '3' });
    expect(change({ memoryLimit: null }, { stored })).toEqual(noPodValues);
  });

  it.each([
    [
      { memoryLimit: '4Ti' },
      '/pod/memoryLimit',
      /4Ti is more than one agent may have: the limit is 64Gi\. Choose at most 64Gi, or ask an administrator/,
    ],
    [{ cpuRequest: '17' }, '/pod/cpuRequest', /the limit is 16/],
    [{ storageSize: '1Pi' }, '/pod/storageSize', /the limit is 200Gi/],
    [{ memoryLimit: 'lots' }, '/pod/memoryLimit', /"lots" is not an amount of memory such as 512Mi/],
    [{ memoryLimit: '512m' }, '/pod/memoryLimit', /not an amount/],
    [{ memoryLimit: '-1' }, '/pod/memoryLimit', /not an amount/],
    [{ memoryLimit: '1Mi' }, '/pod/memoryLimit', /at least 64Mi/],
    [{ cpuLimit: '0' }, '/pod/cpuLimit', /too little/],
    [{ cpuRequest: '\u0000' }, '/pod/cpuRequest', /not an amount/],
    [{ memoryRequest: '5Gi' }, '/pod/memoryRequest', /5Gi is reserved, but the sandbox may use 4Gi at most/],
    [{ memoryRequest: '2Gi', memoryLimit: '1024Mi' }, '/pod/memoryRequest', /1024Mi at most/],
    [
      { image: 'elsewhere/x:1' },
      '/pod/image',
      /not among those this installation allows: registry\.example\/sac-agent:1/,
    ],
    [{ image: 'registry.example/data:2-evil' }, '/pod/image', /not among/],
    [{ runtimeClass: 'runc' }, '/pod/runtimeClass', /allowed: gvisor/],
  ] as const)('to %j is refused', (values, path, message) => {
    const refused = refusal(() => change(values));
    expect(refused).toEqual({ path, message: expect.stringMatching(message) as string });
  });

  it('is held by the limits of its owner', () => {
    const levels = levelsOf({ system: { limits: { memory: '8Gi', egress: 'proxy' } } });
    expect(refusal(() => change({ memoryLimit: '9Gi' }, { levels })).message).toContain('the limit is 8Gi');
    expect(refusal(() => change({ egress: 'internet' }, { levels })).message).toContain('the widest choice is "proxy"');
    expect(change({ egress: 'none', memoryLimit: '8Gi' }, { levels })).toMatchObject({ egress: 'none' });
  });

  it('does not stumble over what was allowed before', () => {
    const stored = { ...noPodValues, memoryLimit: '32Gi', image: 'elsewhere/x:1' };
    const levels = levelsOf({ user: { limits: { memory: '8Gi' } } });
    expect(change({ ...stored, egress: 'none' }, { levels, stored })).toEqual({ ...stored, egress: 'none' });
  });

  it('never makes a volume smaller, and may before there is one', () => {
    const stored = { ...noPodValues, storageSize: '20Gi' };
    expect(refusal(() => change({ storageSize: '15Gi' }, { stored, hasVolume: true })).message).toMatch(
      /cannot shrink/,
    );
    expect(refusal(() => change({ storageSize: null }, { stored, hasVolume: true })).message).toContain('to 10Gi');
    expect(change({ storageSize: '15Gi' }, { stored }).storageSize).toBe('15Gi');
    expect(change({ storageSize: '21Gi' }, { stored, hasVolume: true }).storageSize).toBe('21Gi');
  });

  it('is nothing on one machine', () => {
    expect(refusal(() => change({ cpuLimit: '1' }, { installation: null })).path).toBe('/pod/cpuLimit');
    expect(change({ cpuLimit: null }, { installation: null })).toEqual(noPodValues);
  });
});

describe('what administrators set', () => {
  const none = levelsOf();
  it('has to be what an agent may get', () => {
    const podDefaults = { ...noPodValues, memoryLimit: '65Gi' };
    expect(refusal(() => assertPodSettings({ podDefaults }, none, installation)).path).toBe('/podDefaults/memoryLimit');
    const levels = levelsOf({ system: { limits: { memory: '128Gi' } } });
    expect(() => assertPodSettings({ podDefaults }, levels, installation)).not.toThrow();
  });

  it('has limits that are amounts', () => {
    const refused = (podLimits: Partial<PodLimits>) =>
      refusal(() => assertPodSettings({ podLimits: { ...noPodLimits, ...podLimits } }, none, installation)).path;
    expect(refused({ memory: 'much' })).toBe('/podLimits/memory');
    expect(refused({ memory: '1Ki' })).toBe('/podLimits/memory');
    expect(() => assertPodSettings({ podLimits: noPodLimits }, none, null)).not.toThrow();
    expect(refusal(() => assertPodSettings({ podLimits: { ...noPodLimits, cpu: '1' } }, none, null)).path).toBe(
      '/podLimits/cpu',
    );
  });
});
