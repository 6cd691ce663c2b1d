import type { PodLimits, PodValues } from '@sac/contracts';

/** One kind of thing a sandbox gets: what it gets where nobody says otherwise, and the most it may get. */
export const podKinds = ['cpu', 'memory', 'storage', 'egress'] as const;
export type PodKind = (typeof podKinds)[number];

export const defaultNameOf = {
  cpu: 'cpuLimit',
  memory: 'memoryLimit',
  storage: 'storageSize',
  egress: 'egress',
} as const satisfies Record<PodKind, keyof PodValues>;

export interface PodSettings {
  readonly podDefaults: PodValues;
  readonly podLimits: PodLimits;
}

/** The settings with one of them changed; an empty text takes it back. */
export const withSetting = (
  { podDefaults, podLimits }: PodSettings,
  kind: PodKind,
  change: { readonly byDefault?: string; readonly most?: string },
): PodSettings => ({
  podDefaults:
    change.byDefault === undefined ? podDefaults : { ...podDefaults, [defaultNameOf[kind]]: change.byDefault || null },
  podLimits: change.most === undefined ? podLimits : { ...podLimits, [kind]: change.most || null },
});

export const isSameSetting = (one: PodSettings, other: PodSettings, kind: PodKind): boolean =>
  one.podLimits[kind] === other.podLimits[kind] &&
  one.podDefaults[defaultNameOf[kind]] === other.podDefaults[defaultNameOf[kind]];
