import { podLimitNames, type PodCapabilities, type PodLimitName, type PodLimits, type PodValues } from '@sac/contracts';

/** One kind of thing a sandbox gets: what it gets where nobody says otherwise, and of amounts and network the most it may get. */
const podKinds = ['cpu', 'memory', 'storage', 'egress', 'image', 'runtimeClass'] as const;
export type PodKind = (typeof podKinds)[number];

export const defaultNameOf = {
  cpu: 'cpuLimit',
  memory: 'memoryLimit',
  storage: 'storageSize',
  egress: 'egress',
  image: 'image',
  runtimeClass: 'runtimeClass',
} as const satisfies Record<PodKind, keyof PodValues>;

/** Images and runtime classes have no most: the operator says which there are. */
export const isLimited = (kind: PodKind): kind is PodLimitName => podLimitNames.some((name) => name === kind);

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
  podLimits: change.most === undefined || !isLimited(kind) ? podLimits : { ...podLimits, [kind]: change.most || null },
});

export const isSameSetting = (one: PodSettings, other: PodSettings, kind: PodKind): boolean =>
  (!isLimited(kind) || one.podLimits[kind] === other.podLimits[kind]) &&
  one.podDefaults[defaultNameOf[kind]] === other.podDefaults[defaultNameOf[kind]];

/** Those with something to set: where the operator allows no runtime class there is none to choose, except one that was chosen before. */
export const podKindsFor = (pod: PodCapabilities | null, { podDefaults }: PodSettings): readonly PodKind[] =>
  podKinds.filter(
    (kind) => kind !== 'runtimeClass' || podDefaults.runtimeClass !== null || (pod?.runtimeClasses.length ?? 0) > 0,
  );
