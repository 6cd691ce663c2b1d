import { noPodValues, podValueNames, type PodValues } from '@sac/contracts';
import { invalidField } from '../../lib/app-error.ts';
import { assertGrows, assertRequests, assertValues } from './rules.ts';
import { effectiveValues, limitsFor, type Installation, type PodLevels } from './values.ts';

const PATH = '/pod';

export interface PodChange {
  /** Null where agents do not run in a cluster. */
  readonly installation: Installation | null;
  readonly levels: PodLevels;
  /** Own values of the agent so far. */
  readonly stored: PodValues;
  /** What is absent stays. */
  readonly change: Partial<PodValues>;
  /** The agent has been started before. */
  readonly hasVolume: boolean;
}

const assertNothing = (values: PodValues): void => {
  const name = podValueNames.find((each) => values[each] !== null);
  if (name !== undefined)
    throw invalidField(
      `${PATH}/${name}`,
      'Agents run on the machine of this server, where this has no effect; it is a setting of a cluster. Send null, or leave it out.',
    );
};

/**
 * The own values of an agent after a change. Only what changes is checked: what was allowed when it was chosen stands,
 * capped by the limits of today. Throws AppError invalid_request naming the field, the limit and the remedy.
 */
export const changedPodValues = ({ installation, levels, stored, change, hasVolume }: PodChange): PodValues => {
  const changed = podValueNames.filter((name) => change[name] !== undefined && change[name] !== stored[name]);
  const set: PodValues = { ...noPodValues, ...Object.fromEntries(changed.map((name) => [name, change[name]])) };
  const values: PodValues = { ...stored, ...Object.fromEntries(changed.map((name) => [name, change[name]])) };
  if (installation === null) {
    assertNothing(set);
    return values;
  }
  assertValues(set, { installation, limits: limitsFor(installation, levels), path: PATH });
  const effective = effectiveValues(installation, levels, values);
  if (changed.some((name) => name.startsWith('cpu') || name.startsWith('memory')))
    assertRequests(values, effective, PATH);
  if (hasVolume && changed.includes('storageSize'))
    assertGrows(effectiveValues(installation, levels, stored), effective, PATH);
  return values;
};
