import { noPodValues, type PodLimits, type PodValues } from '@sac/contracts';
import { invalidField } from '../../lib/app-error.ts';
import { assertLimits, assertRequests, assertValues } from './rules.ts';
import { effectiveValues, limitsFor, type Installation, type PodLevels } from './values.ts';

export interface PodSettings {
  readonly podDefaults?: PodValues;
  readonly podLimits?: PodLimits;
}

const assertNothing = (path: string, values: PodLimits | PodValues | undefined): void => {
  const [name] = Object.entries(values ?? {}).find(([, value]) => value !== null) ?? [];
  if (name !== undefined)
    throw invalidField(
      `/${path}/${name}`,
      'Agents run on the machine of this server, where this has no effect; it is a setting of a cluster. Send null, or leave it out.',
    );
};

/**
 * Checks what an administrator sets for everybody or for one account; `levels` are those after the change.
 * Throws AppError invalid_request naming the field.
 */
export const assertPodSettings = (change: PodSettings, levels: PodLevels, installation: Installation | null): void => {
  const { podDefaults, podLimits } = change;
  if (installation === null) {
    assertNothing('podDefaults', podDefaults);
    assertNothing('podLimits', podLimits);
    return;
  }
  if (podLimits) assertLimits(podLimits, '/podLimits');
  if (!podDefaults) return;
  assertValues(podDefaults, { installation, limits: limitsFor(installation, levels), path: '/podDefaults' });
  assertRequests(podDefaults, effectiveValues(installation, levels, noPodValues), '/podDefaults');
};
