import {
  providerPresets,
  type Capabilities,
  type CliInfo,
  type ProviderPreset,
  type ResponseOf,
  type systemRoutes,
} from '@sac/contracts';
import { sql } from 'kysely';
import type { GatewayConfig } from '../../config/config.ts';
import type { Database } from '../../db/database.ts';
import type { Runtime } from '../../runtimes/runtime.ts';
import { mayRunAgents } from '../agents/policy.ts';

type HealthPart = ResponseOf<(typeof systemRoutes)['adminHealth']>['parts'][number];

/** A part of the product that can say how it is; other modules bring their own. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => Promise<Omit<HealthPart, 'name'>>;
}

export interface SystemService {
  version(): string;
  capabilities(): Promise<Capabilities>;
  health(): Promise<HealthPart[]>;
}

interface Deps {
  readonly db: Database;
  readonly config: GatewayConfig;
  readonly runtime: Pick<Runtime, 'kind' | 'isolation' | 'observed'>;
  readonly clis: { list(): readonly CliInfo[] | Promise<readonly CliInfo[]> };
  readonly demo: { readonly modelUrl: string } | null;
  readonly checks: readonly HealthCheck[];
}

const CHECK_TIMEOUT_MS = 3_000;

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

const withTimeout = async (part: HealthCheck): Promise<HealthPart> => {
  const late = Promise.withResolvers<HealthPart>();
  const failed = (detail: string): HealthPart => ({
    name: part.name,
    state: 'failed',
    detail,
    fix: 'Look at the log of the server.',
  });
  const timer = setTimeout(
    () => late.resolve(failed(`No answer within ${CHECK_TIMEOUT_MS / 1000} s.`)),
    CHECK_TIMEOUT_MS,
  );
  const checked = part.check().then(
    (result) => ({ name: part.name, ...result }),
    () => failed('The check itself failed.'),
  );
  try {
    return await Promise.race([checked, late.promise]);
  } finally {
    clearTimeout(timer);
  }
};

const databaseCheck = (db: Database): HealthCheck => ({
  name: 'database',
  check: async () => {
    try {
      const { rows } = await sql<{ version: string; size: string }>`
        select current_setting('server_version') as version, pg_size_pretty(pg_database_size(current_database())) as size`.execute(
        db,
      );
      const extensions = await sql<{
        name: string;
      }>`select extname as name from pg_extension where extname = 'timescaledb'`.execute(db);
      const timescale = extensions.rows.length > 0 ? 'with TimescaleDB' : 'without TimescaleDB';
      return {
        state: 'ok',
        detail: `PostgreSQL ${rows[0]?.version ?? ''}, ${rows[0]?.size ?? ''}, ${timescale}`,
        fix: null,
      };
    } catch {
      return {
        state: 'failed',
        detail: 'The database does not answer.',
        fix: 'Start it again: make restart SVC=db, or look at its log.',
      };
    }
  },
});

const isolationCheck = ({ runtime, config }: Pick<Deps, 'runtime' | 'config'>): HealthCheck => ({
  name: 'isolation',
  check: async () => {
    const { isolated, reason, fix } = runtime.isolation();
    if (isolated)
      return { state: 'ok', detail: `Sandboxes are isolated; ${runtime.observed().size} known.`, fix: null };
    const who = config.allowUnisolated
      ? 'Everybody may run them, as SAC_ALLOW_UNISOLATED=1 says.'
      : 'Only admins may run them.';
    return {
      state: 'warning',
      detail: `Sandboxes are not isolated from the server: ${reason ?? 'unknown reason'}. ${who}`,
      fix,
    };
  },
});

export const createSystemService = (deps: Deps): SystemService => {
  const { config, runtime, demo } = deps;
  return {
    version: () => config.version,
    async capabilities() {
      const isolation = runtime.isolation();
      const presets = [...(demo === null ? [] : [demoPreset(demo.modelUrl)]), ...providerPresets];
      return {
        clis: [...(await deps.clis.list())],
        presets: presets.map(copyPreset),
        demo: demo !== null,
        runtime: runtime.kind,
        isolation: {
          isolated: isolation.isolated,
          reason: isolation.reason,
          fix: isolation.fix,
          usersMayRun: mayRunAgents('user', isolation, config.allowUnisolated),
        },
      };
    },
    health: () => Promise.all([databaseCheck(deps.db), isolationCheck(deps), ...deps.checks].map(withTimeout)),
  };
};
