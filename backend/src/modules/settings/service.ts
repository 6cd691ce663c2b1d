import { noPodLimits, noPodValues, type SystemSettings } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Database, DatabaseOrTransaction } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AGENTS_CHANNEL, ALL_AGENTS, notify } from '../agents/channels.ts';
import { recordAudit, type Origin } from '../audit/record.ts';
import { assertPodSettings } from '../pods/setting-rules.ts';
import type { Installation } from '../pods/values.ts';
import { isValidSetting, settingDeclarations, settingKeys } from './declarations.ts';

export interface SettingsService {
  /** Settings in force. Pass a transaction to decide and act on the same state. */
  read(db?: DatabaseOrTransaction): Promise<SystemSettings>;
  update(change: Partial<SystemSettings>, actorId: string, origin: Origin): Promise<SystemSettings>;
}

export const createSettingsService = (deps: {
  readonly db: Database;
  readonly logger: Logger;
  /** Null where agents do not run in a cluster. */
  readonly pods: Installation | null;
  /** Where this installation's defaults are not everybody's. */
  readonly defaults?: Partial<SystemSettings>;
}): SettingsService => {
  const pick = <K extends keyof SystemSettings>(key: K, stored: ReadonlyMap<string, unknown>): SystemSettings[K] => {
    const declaration = settingDeclarations[key];
    if (!stored.has(key)) return deps.defaults?.[key] ?? declaration.byDefault;
    const value = stored.get(key);
    if (isValidSetting(key, value)) return value;
    deps.logger.error({ setting: key }, 'stored setting is not valid; the safe value is in force');
    return declaration.whenUnreadable;
  };

  const read = async (db: DatabaseOrTransaction = deps.db): Promise<SystemSettings> => {
    const rows = await db.selectFrom('system_settings').select(['key', 'value']).execute();
    const stored = new Map(rows.map((row) => [row.key, row.value]));
    return {
      registration: pick('registration', stored),
      agentsPerUser: pick('agentsPerUser', stored),
      recording: pick('recording', stored),
      recordingMegabytes: pick('recordingMegabytes', stored),
      idleMinutes: pick('idleMinutes', stored),
      podDefaults: pick('podDefaults', stored),
      podLimits: pick('podLimits', stored),
    };
  };

  const update: SettingsService['update'] = (change, actorId, origin) =>
    inTransaction(deps.db, async (trx) => {
      const after = { ...(await read(trx)), ...change };
      const system = { values: after.podDefaults, limits: after.podLimits };
      assertPodSettings(change, { system, user: { values: noPodValues, limits: noPodLimits } }, deps.pods);
      if (change.podDefaults || change.podLimits) await notify(trx, AGENTS_CHANNEL, ALL_AGENTS);
      for (const key of settingKeys) {
        const value = change[key];
        if (value === undefined) continue;
        await trx
          .insertInto('system_settings')
          .values({ key, value: JSON.stringify(value), updated_by: actorId })
          .onConflict((conflict) =>
            conflict
              .column('key')
              .doUpdateSet({ value: JSON.stringify(value), updated_by: actorId, updated_at: new Date() }),
          )
          .execute();
        await recordAudit(trx, {
          action: 'setting.changed',
          actorId,
          target: { type: 'setting', id: key },
          details: { value },
          origin,
        });
      }
      return read(trx);
    });

  return { read, update };
};
