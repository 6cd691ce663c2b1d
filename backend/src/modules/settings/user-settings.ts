import {
  noPodValues,
  type ResponseOf,
  type settingRoutes,
  type SystemSettings,
  type UserSettings,
} from '@sac/contracts';
import type { Logger } from 'pino';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { notFound } from '../../lib/app-error.ts';
import { AGENTS_CHANNEL, ALL_AGENTS, notify } from '../agents/channels.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import { assertPodSettings } from '../pods/setting-rules.ts';
import { inheritedValues, limitsFor, type Installation, type PodLevels } from '../pods/values.ts';
import { isValidUserSetting, noUserSettings, userSettingKeys } from './declarations.ts';
import type { SettingsService } from './service.ts';

type Answer = ResponseOf<(typeof settingRoutes)['getUserSettings']>;
/** What an account may have settings of its own for. */
type AccountSettings = Pick<SystemSettings, 'agentsPerUser' | 'idleMinutes'>;

export interface UserSettingsService {
  read(userId: string): Promise<Answer>;
  update(userId: string, change: Partial<UserSettings>, actorId: string, origin: Origin): Promise<Answer>;
  /** In force for an account. */
  inForce(userId: string, db?: DatabaseOrTransaction): Promise<AccountSettings>;
}

interface Deps {
  readonly db: Database;
  readonly logger: Logger;
  readonly settings: SettingsService;
  /** Null where agents do not run in a cluster. */
  readonly pods: Installation | null;
}

export const createUserSettingsService = ({ db, logger, settings, pods }: Deps): UserSettingsService => {
  const stored = async (source: DatabaseOrTransaction, userId: string): Promise<UserSettings> => {
    const rows = await source
      .selectFrom('user_settings')
      .select(['key', 'value'])
      .where('user_id', '=', userId)
      .execute();
    const values = new Map(rows.map(({ key, value }) => [key, value]));
    const pick = <K extends keyof UserSettings>(key: K): UserSettings[K] => {
      const value = values.get(key);
      if (value === undefined) return noUserSettings[key];
      if (isValidUserSetting(key, value)) return value;
      logger.error({ setting: key, userId }, "stored setting of an account is not valid; the system's is in force");
      return noUserSettings[key];
    };
    return {
      agentsPerUser: pick('agentsPerUser'),
      idleMinutes: pick('idleMinutes'),
      podDefaults: pick('podDefaults'),
      podLimits: pick('podLimits'),
    };
  };

  const systemLevel = (system: SystemSettings): PodLevels => {
    const level = { values: system.podDefaults, limits: system.podLimits };
    return { system: level, user: { values: noUserSettings.podDefaults, limits: noUserSettings.podLimits } };
  };

  const answer = async (source: DatabaseOrTransaction, userId: string): Promise<Answer> => {
    const [own, system] = await Promise.all([stored(source, userId), settings.read(source)]);
    const levels = systemLevel(system);
    return {
      settings: own,
      inherited: {
        agentsPerUser: system.agentsPerUser,
        idleMinutes: system.idleMinutes,
        podDefaults: pods ? inheritedValues(pods, levels) : noPodValues,
        podLimits: pods ? limitsFor(pods, levels) : noUserSettings.podLimits,
      },
    };
  };

  const assertThere = async (source: DatabaseOrTransaction, userId: string): Promise<void> => {
    const user = await source.selectFrom('users').select('id').where('id', '=', userId).executeTakeFirst();
    if (!user) throw notFound('This account');
  };

  const update: UserSettingsService['update'] = (userId, change, actorId, origin) =>
    inTransaction(db, async (trx) => {
      await trx.selectFrom('users').select('id').where('id', '=', userId).forUpdate().execute();
      await assertThere(trx, userId);
      const after = { ...(await stored(trx, userId)), ...change };
      const { system } = systemLevel(await settings.read(trx));
      assertPodSettings(change, { system, user: { values: after.podDefaults, limits: after.podLimits } }, pods);
      for (const key of userSettingKeys) {
        const value = change[key];
        if (value === undefined) continue;
        await store(trx, { userId, key, value, actorId });
        const target = { type: 'user', id: userId };
        await recordAudit(trx, { action: 'user.setting_changed', actorId, target, details: { key, value }, origin });
      }
      if (change.podDefaults || change.podLimits) await notify(trx, AGENTS_CHANNEL, ALL_AGENTS);
      return answer(trx, userId);
    });

  return {
    read: async (userId) => {
      await assertThere(db, userId);
      return answer(db, userId);
    },
    update,
    inForce: async (userId, source = db) => {
      const [own, system] = await Promise.all([stored(source, userId), settings.read(source)]);
      return {
        agentsPerUser: own.agentsPerUser ?? system.agentsPerUser,
        idleMinutes: own.idleMinutes ?? system.idleMinutes,
      };
    },
  };
};

/** Null is no setting at all. */
const store = async (
  db: DatabaseOrTransaction,
  setting: { readonly userId: string; readonly key: string; readonly value: unknown; readonly actorId: string },
): Promise<void> => {
  const { userId, key, actorId } = setting;
  if (setting.value === null) {
    await db.deleteFrom('user_settings').where('user_id', '=', userId).where('key', '=', key).execute();
    return;
  }
  const value = JSON.stringify(setting.value);
  await db
    .insertInto('user_settings')
    .values({ user_id: userId, key, value, updated_by: actorId })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'key']).doUpdateSet({ value, updated_by: actorId, updated_at: new Date() }),
    )
    .execute();
};
