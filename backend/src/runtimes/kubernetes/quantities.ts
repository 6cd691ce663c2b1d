import { parseQuantity } from '@sac/contracts';
import type { PodResources } from '../runtime.ts';

/** A number that is not a quantity, or not one that makes sense here. */
export class QuantityError extends Error {
  constructor(what: string, value: string, problem: string) {
    super(`${what} is ${JSON.stringify(value.slice(0, 40))}: ${problem}`);
    this.name = 'QuantityError';
  }
}

const amountOf = (what: string, value: string, example: string): number => {
  const amount = parseQuantity(value);
  if (amount === null) throw new QuantityError(what, value, `not an amount such as ${example}.`);
  if (amount <= 0) throw new QuantityError(what, value, 'has to be more than nothing.');
  return amount;
};

/** Thousandths of a core, rounded up as Kubernetes does. @throws QuantityError */
export const cpuMillis = (what: string, value: string): number =>
  Math.ceil(Number((amountOf(what, value, '250m or 2') * 1_000).toPrecision(12)));

/** Whole bytes, rounded up. @throws QuantityError */
export const memoryBytes = (what: string, value: string): number => {
  if (value.endsWith('m')) throw new QuantityError(what, value, 'thousandths of a byte; mebibytes are written Mi.');
  return Math.ceil(amountOf(what, value, '512Mi or 4Gi'));
};

const steps = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** For a person: "4 GiB", "1.5 TiB". */
export const bytesInWords = (bytes: number): string => {
  let amount = bytes;
  let step = 0;
  while (amount >= 1024 && step < steps.length - 1) {
    amount /= 1024;
    step += 1;
  }
  return `${Number(amount.toFixed(1))} ${steps[step]}`;
};

/** Less than this and the CLI does not start, whatever the scheduler says. */
const MIN_MEMORY_BYTES = 64 * 2 ** 20;

const checkPair = (
  name: 'cpu' | 'memory',
  { requests, limits }: PodResources,
  parse: (what: string, value: string) => number,
): void => {
  const request = requests[name] === undefined ? null : parse(`The ${name} request`, requests[name]);
  const limit = limits[name] === undefined ? null : parse(`The ${name} limit`, limits[name]);
  if (request !== null && limit !== null && request > limit)
    throw new QuantityError(`The ${name} request`, requests[name] ?? '', `more than the limit, ${limits[name]}.`);
  if (name === 'memory' && limit !== null && limit < MIN_MEMORY_BYTES)
    throw new QuantityError('The memory limit', limits[name] ?? '', `an agent needs at least 64Mi.`);
};

/** @throws QuantityError naming the first amount that is wrong */
export const checkResources = (resources: PodResources): void => {
  checkPair('cpu', resources, cpuMillis);
  checkPair('memory', resources, memoryBytes);
};
