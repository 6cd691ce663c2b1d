import type { DatabaseOrTransaction } from '../../db/database.ts';
import { readPodLimits, readPodValues, type PodLevel, type PodLevels } from './values.ts';

/** Keys of the settings that speak of pods, of the system and of accounts alike. */
export const podSettingKeys = ['podDefaults', 'podLimits'] as const;

/** Settings by name, as they are stored. */
export const podLevel = (settings: Readonly<Record<string, unknown>> | null): PodLevel => ({
  values: readPodValues(settings?.['podDefaults']),
  limits: readPodLimits(settings?.['podLimits']),
});

/** What holds for an account; unknown ones have the system's alone. */
export const findPodLevels = async (db: DatabaseOrTransaction, userId: string): Promise<PodLevels> => {
  const [system, user] = await Promise.all([
    db.selectFrom('system_settings').select(['key', 'value']).where('key', 'in', podSettingKeys).execute(),
    db
      .selectFrom('user_settings')
      .select(['key', 'value'])
      .where('user_id', '=', userId)
      .where('key', 'in', podSettingKeys)
      .execute(),
  ]);
  const level = (rows: readonly { readonly key: string; readonly value: unknown }[]): PodLevel =>
    podLevel(Object.fromEntries(rows.map(({ key, value }) => [key, value])));
  return { system: level(system), user: level(user) };
};
