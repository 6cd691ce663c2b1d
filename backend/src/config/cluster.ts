import { cliNames, egressChoices, parseQuantity, type CliName, type PodLimits } from '@sac/contracts';
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';

const strict = { additionalProperties: false };
/** Kubernetes' own form: 250m, 1.5, 4Gi. What it means is checked where it is used. */
const Quantity = Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$', maxLength: 32 });
const Resources = Type.Record(Type.String({ maxLength: 253 }), Quantity, { maxProperties: 16 });
const Name = Type.String({ pattern: '^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$', maxLength: 253 });

/** What all pods of sandboxes have in common; empty names stand for the default of the cluster. */
const AgentPodSchema = Type.Object(
  {
    resources: Type.Object({ requests: Resources, limits: Resources }, strict),
    nodeSelector: Type.Record(Type.String({ maxLength: 317 }), Type.String({ maxLength: 63 }), { maxProperties: 32 }),
    tolerations: Type.Array(
      Type.Object(
        {
          key: Type.Optional(Type.String({ maxLength: 317 })),
          operator: Type.Optional(Type.Union([Type.Literal('Exists'), Type.Literal('Equal')])),
          value: Type.Optional(Type.String({ maxLength: 63 })),
          effect: Type.Optional(
            Type.Union([Type.Literal('NoSchedule'), Type.Literal('PreferNoSchedule'), Type.Literal('NoExecute')]),
          ),
          tolerationSeconds: Type.Optional(Type.Integer({ minimum: 0 })),
        },
        strict,
      ),
      { maxItems: 32 },
    ),
    priorityClassName: Name,
    runtimeClassName: Name,
    storageClass: Name,
    storageSize: Quantity,
    imagePullPolicy: Type.Union([Type.Literal('Always'), Type.Literal('IfNotPresent'), Type.Literal('Never')]),
    egress: Type.Enum([...egressChoices]),
  },
  strict,
);
export type AgentPod = Static<typeof AgentPodSchema>;

export const defaultAgentPod: AgentPod = {
  resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '2', memory: '4Gi' } },
  nodeSelector: {},
  tolerations: [],
  priorityClassName: '',
  runtimeClassName: '',
  storageClass: '',
  storageSize: '10Gi',
  imagePullPolicy: 'IfNotPresent',
  egress: 'internet',
};

const Amount = Type.Union([Type.Literal(''), Quantity]);
const AgentLimitsSchema = Type.Object(
  { cpu: Amount, memory: Amount, storage: Amount, egress: Type.Enum([...egressChoices]) },
  strict,
);
/** Four terabytes are a slip of the keyboard; whoever means them says so. */
const defaultAgentLimits: Static<typeof AgentLimitsSchema> = {
  cpu: '16',
  memory: '64Gi',
  storage: '200Gi',
  egress: 'internet',
};

/** Where and how sandboxes are made. */
export interface ClusterConfig {
  /** In the order of the shards; never empty. */
  readonly namespaces: readonly string[];
  readonly installId: string;
  readonly clusterDomain: string;
  readonly agentImage: string;
  readonly imagePullSecrets: readonly string[];
  readonly clis: readonly CliName[];
  readonly pod: AgentPod;
  /** The most one agent may get; null: as much as the cluster gives. */
  readonly limits: PodLimits;
  /** Images that may be chosen beside `agentImage`; one that ends with `*` stands for all that begin so. */
  readonly images: readonly string[];
  /** Runtime classes that may be chosen beside the one of `pod`. */
  readonly runtimeClasses: readonly string[];
  /** Null: other replicas cannot reach this one. */
  readonly podIp: string | null;
}

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAMESPACES = 16;

const checked = <S extends TSchema>(schema: S, text: string, defaults: Static<S>): Static<S> => {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error('must be a JSON object');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error('must be a JSON object');
  const value: unknown = { ...(defaults as object), ...given };
  if (Value.Check(schema, value)) return value;
  const [first] = Value.Errors(schema, value);
  const problem = first?.keyword === 'boolean' ? 'there is no such key' : (first?.message ?? 'not valid');
  throw new Error(`has a problem at ${first?.instancePath || 'its top level'}: ${problem}`);
};

/** Throws an Error whose message completes "SAC_AGENT_POD …". */
export const parseAgentPod = (text: string): AgentPod => checked(AgentPodSchema, text, defaultAgentPod);

/** Throws an Error whose message completes "SAC_AGENT_LIMITS …". */
export const parseAgentLimits = (text: string, pod: AgentPod): PodLimits => {
  const { cpu, memory, storage, egress } = checked(AgentLimitsSchema, text, defaultAgentLimits);
  const { requests, limits } = pod.resources;
  const given: readonly (readonly [string, string, string | undefined])[] = [
    ['cpu', cpu, limits['cpu'] ?? requests['cpu']],
    ['memory', memory, limits['memory'] ?? requests['memory']],
    ['storage', storage, pod.storageSize],
  ];
  for (const [name, most, amount = ''] of given)
    if (most !== '' && (parseQuantity(amount) ?? 0) > (parseQuantity(most) ?? 0))
      throw new Error(`has ${most} as the most ${name}, but SAC_AGENT_POD gives every agent ${amount}`);
  if (egressChoices.indexOf(pod.egress) < egressChoices.indexOf(egress))
    throw new Error(`has "${egress}" as the widest egress, but SAC_AGENT_POD gives every agent "${pod.egress}"`);
  return { cpu: cpu || null, memory: memory || null, storage: storage || null, egress };
};

const IMAGE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}\*?$/;

/** Throws an Error whose message completes "SAC_AGENT_IMAGES …". */
export const parseImages = (images: readonly string[]): readonly string[] => {
  const bad = images.find((image) => !IMAGE.test(image));
  if (bad === undefined) return images;
  throw new Error(`holds "${bad.slice(0, 80)}", which is neither an image nor the beginning of one followed by *`);
};

/** Throws an Error whose message completes "SAC_AGENT_RUNTIME_CLASSES …". */
export const parseRuntimeClasses = (names: readonly string[]): readonly string[] => {
  const isName = (name: string): boolean => Value.Check(Name, name);
  const bad = names.find((name) => !isName(name));
  if (bad === undefined) return names;
  throw new Error(`holds "${bad.slice(0, 80)}", which is not the name of a RuntimeClass`);
};

/** Throws an Error whose message completes "SAC_KUBERNETES_NAMESPACES …". */
export const parseNamespaces = (names: readonly string[]): readonly string[] => {
  const bad = names.find((name) => !NAMESPACE.test(name));
  if (bad !== undefined) throw new Error(`holds "${bad.slice(0, 80)}", which is not the name of a namespace`);
  if (new Set(names).size !== names.length) throw new Error('names a namespace twice');
  if (names.length > MAX_NAMESPACES)
    throw new Error(`names ${names.length} namespaces; at most ${MAX_NAMESPACES} work`);
  return names;
};

/** Throws an Error whose message completes "SAC_AGENT_CLIS …". */
export const parseClis = (names: readonly string[]): CliName[] => {
  const known = cliNames.filter((name) => name === 'shell' || names.includes(name));
  const unknown = names.find((name) => !cliNames.some((cli) => cli === name));
  if (unknown !== undefined) throw new Error(`holds "${unknown.slice(0, 40)}"; there are ${cliNames.join(', ')}`);
  return known;
};
