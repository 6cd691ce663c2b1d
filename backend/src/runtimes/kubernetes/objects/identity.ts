import type { V1ObjectMeta, V1StatefulSet } from '@kubernetes/client-node';

/** Field manager of everything this product writes. */
export const FIELD_MANAGER = 'sac';

export const labelNames = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
  version: 'app.kubernetes.io/version',
  userId: 'sac.dev/user-id',
  agentId: 'sac.dev/agent-id',
  agentUid: 'sac.dev/agent-uid',
  installId: 'sac.dev/install-id',
  egress: 'sac.dev/egress',
} as const;

export const annotationNames = {
  generation: 'sac.dev/generation',
  specHash: 'sac.dev/spec-hash',
} as const;

/** When a pod was last changed for nothing but that its kubelet looks at it again. */
export const NUDGED_AT = 'sac.dev/nudged-at';
/** Since when nobody knows the agent of a set or Service. */
export const ORPHAN_SINCE = 'sac.dev/orphan-since';
/** Uid of the agent that an administrator gave a volume to: its labels were changed on purpose. */
export const ADOPTED_BY = 'sac.dev/adopted-by';

const sandboxLabels: Readonly<Record<string, string>> = {
  [labelNames.component]: 'sandbox',
  [labelNames.managedBy]: FIELD_MANAGER,
};

const equalities = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).map(([name, value]) => `${name}=${value}`);

/** Objects of sandboxes, of whatever installation. */
export const SANDBOX_SELECTOR = equalities(sandboxLabels).join(',');

/** Who an object belongs to: it is only ever changed or used by the same agent of the same installation. */
export interface Identity {
  readonly name: string;
  readonly namespace: string;
  readonly userId: string;
  readonly agentId: string;
  readonly agentUid: string;
  readonly installId: string;
  readonly version: string;
}

/** The labels that never change, which selectors may use. */
export const selectorOf = ({ agentUid, installId }: Identity): Record<string, string> => ({
  [labelNames.agentUid]: agentUid,
  [labelNames.installId]: installId,
});

/** Characters a label may not have become dashes: a version may carry `+`. */
const labelValue = (text: string): string =>
  text
    .slice(0, 63)
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');

const idLabelsOf = ({ userId, agentId }: Identity): Record<string, string> => ({
  [labelNames.userId]: userId,
  [labelNames.agentId]: agentId,
});

/** Labels without the version: a volume outlives many of those. */
export const lastingLabelsOf = (identity: Identity): Record<string, string> => ({
  [labelNames.name]: 'claude-code',
  [labelNames.instance]: identity.name,
  ...sandboxLabels,
  ...idLabelsOf(identity),
  ...selectorOf(identity),
});

export const metadataOf = (
  identity: Identity,
): Required<Pick<V1ObjectMeta, 'name' | 'namespace' | 'labels'>> & V1ObjectMeta => ({
  name: identity.name,
  namespace: identity.namespace,
  labels: { ...lastingLabelsOf(identity), [labelNames.version]: labelValue(identity.version) },
});

type Marks = Readonly<Record<string, string>>;
type Owned = { readonly metadata?: { readonly labels?: Marks; readonly annotations?: Marks } } | undefined;
const labelOf = (object: Owned, name: string): string | null => object?.metadata?.labels?.[name] ?? null;

export const agentUidOf = (object: Owned): string | null => labelOf(object, labelNames.agentUid);
export const installIdOf = (object: Owned): string | null => labelOf(object, labelNames.installId);

export const isOwnedBy = (object: Owned, { agentUid, installId }: Pick<Identity, 'agentUid' | 'installId'>): boolean =>
  agentUidOf(object) === agentUid && installIdOf(object) === installId;

/** What a volume claim is labelled with by hand to be listed, and offered to the agent; null for one that is listed. */
export const listingLabelsOf = (claim: Owned, identity: Identity): string | null => {
  const isListed = Object.entries(sandboxLabels).every(([name, value]) => labelOf(claim, name) === value);
  return isListed ? null : equalities({ ...sandboxLabels, ...idLabelsOf(identity) }).join(' ');
};

/** Generation an object was made for; null for one that says none. */
export const generationOf = (object: Owned): number | null => {
  const text = object?.metadata?.annotations?.[annotationNames.generation];
  return text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : null;
};

/** Generation of the pods a set makes; its own annotation says the same, but changes without a trace. */
export const setGenerationOf = (set: V1StatefulSet | undefined): number | null => generationOf(set?.spec?.template);

export const specHashOf = (object: Owned): string => object?.metadata?.annotations?.[annotationNames.specHash] ?? '';
