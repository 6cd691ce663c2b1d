import { Type, type Static } from 'typebox';
import { nullable, oneOf, strict } from './primitives.ts';

/** What a sandbox may reach besides the server itself: everything public, only the proxies, or nothing. Widest first. */
export const egressChoices = ['internet', 'proxy', 'none'] as const;
export type EgressChoice = (typeof egressChoices)[number];

/** An amount as Kubernetes writes it, such as `250m` or `4Gi`. What it means is checked by rules, which answer in words. */
const Quantity = Type.String({ minLength: 1, maxLength: 32 });
const ImageReference = Type.String({ minLength: 1, maxLength: 512, pattern: '^[A-Za-z0-9][A-Za-z0-9._:/@-]*$' });

/** What one sandbox of a cluster gets. Null: as the level above says (agent, its owner, the system, the installation). */
export const PodValues = strict({
  cpuRequest: nullable(Quantity),
  cpuLimit: nullable(Quantity),
  memoryRequest: nullable(Quantity),
  memoryLimit: nullable(Quantity),
  /** A volume grows at the next start and never shrinks. */
  storageSize: nullable(Quantity),
  /** One that the operator allows. */
  image: nullable(ImageReference),
  egress: nullable(oneOf(egressChoices)),
  /** One that the operator allows. */
  runtimeClass: nullable(Type.String({ minLength: 1, maxLength: 253 })),
});
export type PodValues = Static<typeof PodValues>;
export type PodValueName = keyof PodValues;
export const podValueNames = Object.keys(PodValues.properties) as PodValueName[];
export const noPodValues: PodValues = {
  cpuRequest: null,
  cpuLimit: null,
  memoryRequest: null,
  memoryLimit: null,
  storageSize: null,
  image: null,
  egress: null,
  runtimeClass: null,
};

/** The most an agent may get, whoever asks. Null: as the level above says, and nothing where the installation says nothing. */
export const PodLimits = strict({
  cpu: nullable(Quantity),
  memory: nullable(Quantity),
  storage: nullable(Quantity),
  /** The widest choice. */
  egress: nullable(oneOf(egressChoices)),
});
export type PodLimits = Static<typeof PodLimits>;
export type PodLimitName = keyof PodLimits;
export const podLimitNames = Object.keys(PodLimits.properties) as PodLimitName[];
export const noPodLimits: PodLimits = { cpu: null, memory: null, storage: null, egress: null };

/** What the editor of an agent needs to offer only what the account may have. */
export const PodCapabilities = strict({
  /** What holds where an agent says nothing: the nearest level that is not null. */
  levels: strict({ installation: PodValues, system: PodValues, user: PodValues }),
  /** In force for this account. */
  limits: PodLimits,
  /** Those of the installation alone. */
  installationLimits: PodLimits,
  /** What the operator allows; an entry that ends with `*` allows all that begin so. The installation's own comes first. */
  images: Type.Array(Type.String()),
  runtimeClasses: Type.Array(Type.String()),
});
export type PodCapabilities = Static<typeof PodCapabilities>;
