import {
  providerPresets,
  type Capabilities,
  type CliInfo,
  type PodCapabilities,
  type ProviderPreset,
  type SystemSettings,
} from '@sac/contracts';
import type { GatewayConfig } from '../../config/config.ts';
import type { Runtime } from '../../runtimes/runtime.ts';
import type { Database } from '../../db/database.ts';
import { allowedImages, allowedRuntimeClasses } from '../pods/allowed.ts';
import { findPodLevels } from '../pods/levels.ts';
import { installationValues, limitsFor, type Installation, type PodLevels } from '../pods/values.ts';
import { mayRunAgents } from '../agents/policy.ts';
import { askAll, type HealthCheck, type HealthPart } from './health-check.ts';

export interface SystemService {
  version(): string;
  /** As one account may use them. */
  capabilities(userId: string): Promise<Capabilities>;
  health(): Promise<HealthPart[]>;
}

interface Deps {
  readonly config: GatewayConfig;
  readonly runtime: Pick<Runtime, 'kind' | 'isolation'>;
  readonly clis: { list(): readonly CliInfo[] | Promise<readonly CliInfo[]> };
  readonly demo: { readonly modelUrl: string } | null;
  readonly db: Database;
  /** In force for an account. */
  readonly idleMinutes: (userId: string) => Promise<number>;
  readonly settings: () => Promise<Pick<SystemSettings, 'recording' | 'recordingMegabytes'>>;
  readonly checks: readonly HealthCheck[];
}

const demoPreset = (modelUrl: string): ProviderPreset => ({
  id: 'demo',
  name: 'Demo model (scripted)',
  hint: 'Answers from a script on this machine; no key needed',
  endpoints: [
    { protocol: 'anthropic', baseUrl: modelUrl, source: modelUrl, models: { main: null, strong: null, small: null } },
  ],
});

const copyPreset = (preset: ProviderPreset): Capabilities['presets'][number] => ({
  ...preset,
  endpoints: preset.endpoints.map((endpoint) => ({ ...endpoint, models: { ...endpoint.models } })),
});

const podCapabilities = (installation: Installation, levels: PodLevels): PodCapabilities => ({
  levels: {
    installation: installationValues(installation),
    system: levels.system.values,
    user: levels.user.values,
  },
  limits: limitsFor(installation, levels),
  installationLimits: installation.limits,
  images: allowedImages(installation),
  runtimeClasses: allowedRuntimeClasses(installation),
});

export const createSystemService = (deps: Deps): SystemService => {
  const { config, runtime, demo } = deps;
  return {
    version: () => config.version,
    async capabilities(userId) {
      const isolation = runtime.isolation();
      const { recording, recordingMegabytes } = await deps.settings();
      const presets = [...(demo === null ? [] : [demoPreset(demo.modelUrl)]), ...providerPresets];
      return {
        clis: [...(await deps.clis.list())],
        presets: presets.map(copyPreset),
        demo: demo !== null,
        runtime: runtime.kind,
        pod: config.cluster && podCapabilities(config.cluster, await findPodLevels(deps.db, userId)),
        idleMinutes: await deps.idleMinutes(userId),
        recordingMegabytes: recording ? recordingMegabytes : 0,
        isolation: {
          isolated: isolation.isolated,
          reason: isolation.reason,
          fix: isolation.fix,
          usersMayRun: mayRunAgents('user', isolation, config.allowUnisolated),
        },
      };
    },
    health: () => askAll(deps.checks),
  };
};
