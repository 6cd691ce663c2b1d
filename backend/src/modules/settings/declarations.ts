import { noPodLimits, noPodValues, SystemSettings, UserSettings } from '@sac/contracts';
import { Value } from 'typebox/value';

type Key = keyof SystemSettings;

interface Declaration<K extends Key> {
  readonly byDefault: SystemSettings[K];
  /** In force when a stored value is not one of today's: the safer side, not the default. */
  readonly whenUnreadable: SystemSettings[K];
}

/** In a cluster what sleeps makes room for others; one machine's agents are its owner's business. */
export const CLUSTER_IDLE_MINUTES = 60;

/** Every system setting there is; the schema of each is that of the contract. */
export const settingDeclarations: { readonly [K in Key]: Declaration<K> } = {
  registration: { byDefault: 'invite', whenUnreadable: 'closed' },
  agentsPerUser: { byDefault: 10, whenUnreadable: 0 },
  recording: { byDefault: true, whenUnreadable: false },
  recordingMegabytes: { byDefault: 16, whenUnreadable: 16 },
  idleMinutes: { byDefault: 0, whenUnreadable: 0 },
  podDefaults: { byDefault: noPodValues, whenUnreadable: noPodValues },
  podLimits: { byDefault: noPodLimits, whenUnreadable: noPodLimits },
};

export const settingKeys = Object.keys(settingDeclarations) as Key[];

export const isValidSetting = <K extends Key>(key: K, value: unknown): value is SystemSettings[K] =>
  Value.Check(SystemSettings.properties[key], value);

/** What holds for an account that nobody gave settings of its own. */
export const noUserSettings: UserSettings = {
  agentsPerUser: null,
  idleMinutes: null,
  podDefaults: noPodValues,
  podLimits: noPodLimits,
};
export const userSettingKeys = Object.keys(noUserSettings) as (keyof UserSettings)[];

export const isValidUserSetting = <K extends keyof UserSettings>(key: K, value: unknown): value is UserSettings[K] =>
  Value.Check(UserSettings.properties[key], value);
