import { cliNames, type CliName } from '@sac/contracts';
import { Type, type Static } from 'typebox';
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
    egress: Type.Union([Type.Literal('internet'), Type.Literal('proxy'), Type.Literal('none')]),
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
  /** Null: other replicas cannot reach this one. */
  readonly podIp: string | null;
}

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAMESPACES = 16;

/** Throws an Error whose message completes "SAC_AGENT_POD …". */
export const parseAgentPod = (text: string): AgentPod => {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error('must be a JSON object');
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error('must be a JSON object');
  const pod: unknown = { ...defaultAgentPod, ...given };
  if (Value.Check(AgentPodSchema, pod)) return pod;
  const [first] = Value.Errors(AgentPodSchema, pod);
  const problem = first?.keyword === 'boolean' ? 'there is no such key' : (first?.message ?? 'not valid');
  throw new Error(`has a problem at ${first?.instancePath || 'its top level'}: ${problem}`);
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
