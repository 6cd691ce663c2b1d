import type { AgentFailure, PodValues } from '@sac/contracts';
import type { Installation } from './values.ts';

export const isImageAllowed = ({ agentImage, images }: Installation, image: string): boolean =>
  image === agentImage ||
  images.some((entry) => (entry.endsWith('*') ? image.startsWith(entry.slice(0, -1)) : image === entry));

export const isRuntimeClassAllowed = ({ pod, runtimeClasses }: Installation, name: string): boolean =>
  name === pod.runtimeClassName || runtimeClasses.includes(name);

/** Shown in a refusal, which must stay readable. */
const MAX_SHOWN = 8;
const listed = (entries: readonly string[]): string =>
  `${entries.slice(0, MAX_SHOWN).join(', ')}${entries.length > MAX_SHOWN ? ', …' : ''}`;

export const allowedImages = ({ agentImage, images }: Installation): string[] => [...new Set([agentImage, ...images])];
export const allowedRuntimeClasses = ({ pod, runtimeClasses }: Installation): string[] => [
  ...new Set([...(pod.runtimeClassName === '' ? [] : [pod.runtimeClassName]), ...runtimeClasses]),
];

export const imageRefusal = (installation: Installation, image: string): string =>
  `The image ${image} is not among those this installation allows: ${listed(allowedImages(installation))}. Choose one of them, or ask the operator to allow it.`;

export const runtimeClassRefusal = (installation: Installation, name: string): string => {
  const allowed = allowedRuntimeClasses(installation);
  const which = allowed.length === 0 ? 'this installation allows none to be chosen' : `allowed: ${listed(allowed)}`;
  return `The runtime class ${name} cannot be chosen (${which}). Choose another, or ask the operator to allow it.`;
};

/** What was allowed when it was chosen and is not any more: the sandbox is not started with it. */
export const noLongerAllowed = (
  installation: Installation,
  { image, runtimeClass }: PodValues,
): AgentFailure | null => {
  if (image !== null && !isImageAllowed(installation, image))
    return {
      code: 'image_not_allowed',
      reason: `The image ${image} is not among those this installation allows any more.`,
      fix: `Choose another in the settings of the agent: ${listed(allowedImages(installation))}.`,
      output: null,
    };
  if (runtimeClass !== null && !isRuntimeClassAllowed(installation, runtimeClass))
    return {
      code: 'runtime_class_not_allowed',
      reason: `The runtime class ${runtimeClass} is not among those this installation allows any more.`,
      fix: 'Choose another, or none, in the settings of the agent.',
      output: null,
    };
  return null;
};
