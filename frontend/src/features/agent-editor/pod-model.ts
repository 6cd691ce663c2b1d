import {
  egressChoices,
  parseQuantity,
  type PodCapabilities,
  type PodLimitName,
  type PodLimits,
  type PodValueName,
} from '@sac/contracts';
import type { EditorForm } from './form-model.ts';
import type { Problem } from './validation.ts';

type Form = EditorForm['pod'];

/** Who decided a value; `limit`: it would be more, but that is the most there is. */
export type Level = 'agent' | 'user' | 'system' | 'installation' | 'limit';
export interface Decided {
  readonly value: string | null;
  readonly level: Level;
}

/** What holds while the agent says nothing. */
export const inherited = ({ levels }: PodCapabilities, name: PodValueName): Decided => {
  for (const level of ['user', 'system'] as const) {
    const value = levels[level][name];
    if (value !== null) return { value, level };
  }
  return { value: levels.installation[name], level: 'installation' };
};

/** Which limit holds for an amount. */
export const limitNameOf = {
  cpuRequest: 'cpu',
  cpuLimit: 'cpu',
  memoryRequest: 'memory',
  memoryLimit: 'memory',
  storageSize: 'storage',
} as const satisfies Partial<Record<PodValueName, PodLimitName>>;
export type AmountName = keyof typeof limitNameOf;
const limitNames: Partial<Record<PodValueName, Exclude<PodLimitName, 'egress'>>> = limitNameOf;

/** What is chosen, not typed. */
export const choiceNames = ['egress', 'image', 'runtimeClass'] as const satisfies readonly PodValueName[];
export type ChoiceName = (typeof choiceNames)[number];
/** An allowed image that stands for all that begin so. */
export const isPattern = (image: string): boolean => image.endsWith('*');

const amount = (text: string): number => parseQuantity(text) ?? 0;

const isAbove = (name: PodValueName, value: string, limits: PodLimits): string | null => {
  if (name === 'egress') return limits.egress !== null && rank(value) < rank(limits.egress) ? limits.egress : null;
  const limit = limitNames[name];
  const most = limit === undefined ? null : limits[limit];
  return most !== null && amount(value) > amount(most) ? most : null;
};
const rank = (choice: string): number => egressChoices.findIndex((each) => each === choice);

/** What the agent gets with what is typed now. */
export const decided = (form: Form, pod: PodCapabilities, name: PodValueName): Decided => {
  const own = form[name].trim();
  const wanted: Decided = own === '' ? inherited(pod, name) : { value: own, level: 'agent' };
  const most = wanted.value === null ? null : isAbove(name, wanted.value, pod.limits);
  return most === null ? wanted : { value: most, level: 'limit' };
};

/** What this account may choose. */
export const offeredTo = ({ limits, images, runtimeClasses }: PodCapabilities, name: ChoiceName): readonly string[] => {
  if (name === 'egress')
    return egressChoices.filter((choice) => limits.egress === null || rank(choice) >= rank(limits.egress));
  return name === 'image' ? images : runtimeClasses;
};

const MIN_BYTES = 64 * 2 ** 20;
const amountProblem = (name: PodValueName, text: string, { limits }: PodCapabilities): Problem | null => {
  if (text === '') return null;
  const isCpu = name.startsWith('cpu');
  const parsed = !isCpu && text.endsWith('m') ? null : parseQuantity(text);
  if (parsed === null || parsed === 0) return { key: isCpu ? 'problemCpu' : 'problemBytes' };
  if (!isCpu && parsed < MIN_BYTES && !name.endsWith('Request')) return { key: 'problemTooLittle' };
  const most = isAbove(name, text, limits);
  return most === null ? null : { key: 'problemAboveLimit', values: { value: text, limit: most } };
};

const requestProblem = (form: Form, pod: PodCapabilities, kind: 'cpu' | 'memory'): Problem | null => {
  const asked = form[`${kind}Request`].trim();
  const limit = decided(form, pod, `${kind}Limit`).value;
  return asked !== '' && limit !== null && amount(asked) > amount(limit)
    ? { key: 'problemRequestAboveLimit', values: { value: asked, limit } }
    : null;
};

const amountNames = ['cpuLimit', 'cpuRequest', 'memoryLimit', 'memoryRequest', 'storageSize'] as const;

/** In the order of the page. Empty where agents do not run in a cluster. */
export const podProblems = (form: Form, pod: PodCapabilities | null): [string, Problem | null][] => {
  if (pod === null) return [];
  return amountNames.map((name) => {
    const problem = amountProblem(name, form[name].trim(), pod);
    if (problem !== null) return [`pod.${name}`, problem];
    if (name === 'cpuRequest') return [`pod.${name}`, requestProblem(form, pod, 'cpu')];
    return [`pod.${name}`, name === 'memoryRequest' ? requestProblem(form, pod, 'memory') : null];
  });
};
