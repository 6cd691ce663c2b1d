import { parseQuantity, podLimitNames, podValueNames, type PodLimits, type PodValues } from '@sac/contracts';
import { invalidField } from '../../lib/app-error.ts';
import { imageRefusal, isImageAllowed, isRuntimeClassAllowed, runtimeClassRefusal } from './allowed.ts';
import { isWider, type Installation } from './values.ts';

/** Less than this and no CLI starts. */
const MIN_MEMORY_BYTES = 64 * 2 ** 20;
const MIN_STORAGE_BYTES = 64 * 2 ** 20;
const MIN_CPU = 0.01;

const kinds = {
  cpu: { what: 'an amount of CPU such as 250m or 2', least: MIN_CPU, leastInWords: '10m' },
  memory: { what: 'an amount of memory such as 512Mi or 4Gi', least: MIN_MEMORY_BYTES, leastInWords: '64Mi' },
  storage: { what: 'a size such as 10Gi', least: MIN_STORAGE_BYTES, leastInWords: '64Mi' },
} as const;
type Kind = keyof typeof kinds;

const kindOf = {
  cpuRequest: 'cpu',
  cpuLimit: 'cpu',
  memoryRequest: 'memory',
  memoryLimit: 'memory',
  storageSize: 'storage',
} as const satisfies Partial<Record<keyof PodValues, Kind>>;
const amountNames = Object.keys(kindOf) as (keyof typeof kindOf)[];

const amount = (text: string): number => parseQuantity(text) ?? 0;

const assertAmount = (path: string, kind: Kind, text: string): void => {
  const { what, least, leastInWords } = kinds[kind];
  // Thousandths of a byte are a slip for mebibytes.
  const parsed = kind !== 'cpu' && text.endsWith('m') ? null : parseQuantity(text);
  if (parsed === null) throw invalidField(path, `"${text}" is not ${what}.`);
  if (parsed === 0 || (parsed < least && !path.endsWith('Request')))
    throw invalidField(path, `${text} is too little: at least ${leastInWords} is needed.`);
};

/** What a refusal above a limit says a person can do. */
const ASK = 'or ask an administrator to raise the limit';

interface Rules {
  readonly installation: Installation;
  /** In force for whoever gets the values. */
  readonly limits: PodLimits;
  /** JSON pointer of the values in the body. */
  readonly path: string;
}

const assertWithinLimits = (name: keyof PodValues, values: PodValues, { limits, path }: Rules): void => {
  const value = values[name];
  if (value === null) return;
  if (name === 'egress') {
    const { egress } = values;
    if (egress !== null && limits.egress !== null && isWider(egress, limits.egress))
      throw invalidField(
        `${path}/egress`,
        `"${egress}" is more than is allowed here: the widest choice is "${limits.egress}". Choose that, ${ASK}.`,
      );
    return;
  }
  const most = name in kindOf ? limits[kindOf[name as keyof typeof kindOf]] : null;
  if (most !== null && amount(value) > amount(most))
    throw invalidField(
      `${path}/${name}`,
      `${value} is more than one agent may have: the limit is ${most}. Choose at most ${most}, ${ASK}.`,
    );
};

const assertChoices = ({ image, runtimeClass }: PodValues, { installation, path }: Rules): void => {
  if (image !== null && !isImageAllowed(installation, image))
    throw invalidField(`${path}/image`, imageRefusal(installation, image));
  if (runtimeClass !== null && !isRuntimeClassAllowed(installation, runtimeClass))
    throw invalidField(`${path}/runtimeClass`, runtimeClassRefusal(installation, runtimeClass));
};

const pairs = [
  ['cpuRequest', 'cpuLimit'],
  ['memoryRequest', 'memoryLimit'],
] as const;

/** Checks values that somebody sets; null ones are nobody's. Throws AppError invalid_request naming the field. */
export const assertValues = (values: PodValues, rules: Rules): void => {
  for (const name of amountNames) {
    const value = values[name];
    if (value !== null) assertAmount(`${rules.path}/${name}`, kindOf[name], value);
  }
  for (const name of podValueNames) assertWithinLimits(name, values, rules);
  assertChoices(values, rules);
};

/** `own` asks for more than the limit that would hold. */
export const assertRequests = (own: PodValues, effective: PodValues, path: string): void => {
  for (const [request, limit] of pairs) {
    const [asked, most] = [own[request], effective[limit]];
    if (asked !== null && most !== null && amount(asked) > amount(most))
      throw invalidField(
        `${path}/${request}`,
        `${asked} is reserved, but the sandbox may use ${most} at most. Reserve at most ${most}, or raise the limit.`,
      );
  }
};

/** A volume keeps the size it has. */
export const assertGrows = (before: PodValues, after: PodValues, path: string): void => {
  const [was, size] = [before.storageSize, after.storageSize];
  if (was !== null && size !== null && amount(size) < amount(was))
    throw invalidField(
      `${path}/storageSize`,
      `The volume of this agent has ${was} and cannot shrink to ${size}. Keep ${was} or choose more; a new agent can have less.`,
    );
};

/** Limits have the form of amounts; how high they are is for whoever sets them to say. */
export const assertLimits = (limits: PodLimits, path: string): void => {
  for (const name of podLimitNames) {
    const value = limits[name];
    if (name !== 'egress' && value !== null) assertAmount(`${path}/${name}`, name, value);
  }
};
