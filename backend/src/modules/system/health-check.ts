import type { ResponseOf, systemRoutes } from '@sac/contracts';

export type HealthPart = ResponseOf<(typeof systemRoutes)['adminHealth']>['parts'][number];

/** A part of the product that can say how it is, in words for an admin; `fix` is one sentence, null when all is well. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => Promise<Omit<HealthPart, 'name'>>;
}

/** No part may keep an admin waiting for the others. */
const CHECK_TIMEOUT_MS = 3_000;

/** Asks all at once. A check that fails or does not answer within three seconds is itself a finding. */
export const askAll = (checks: readonly HealthCheck[]): Promise<HealthPart[]> => Promise.all(checks.map(askOne));

const askOne = async ({ name, check }: HealthCheck): Promise<HealthPart> => {
  const failed = (detail: string): HealthPart => ({
    name,
    state: 'failed',
    detail,
    fix: 'Look at the log of the server.',
  });
  const late = Promise.withResolvers<HealthPart>();
  const timer = setTimeout(
    () => late.resolve(failed(`No answer within ${CHECK_TIMEOUT_MS / 1000} s.`)),
    CHECK_TIMEOUT_MS,
  );
  const checked = check().then(
    (result) => ({ name, ...result }),
    () => failed('The check itself failed.'),
  );
  try {
    return await Promise.race([checked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
};
