import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { GatewayConfig } from '../../config/config.ts';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import type { ObservedSandbox, Runtime } from '../../runtimes/runtime.ts';
import type { HealthCheck } from './health-check.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

type Kind = Runtime['kind'];

/** What an admin does where sandboxes are of that kind. */
const remedies = {
  local: {
    database: 'Start it again: make restart SVC=db, or look at its log.',
    restart: 'make restart SVC=api',
    logs: 'the reason is in their log below agents/ in the data directory',
  },
  kubernetes: {
    database: 'Ask whoever operates it; the log of api-gateway says what it answers.',
    restart: 'kubectl rollout restart deployment of api-gateway',
    logs: 'the reason is in the logs of their pods (kubectl logs, container sidecar or agent)',
  },
} as const satisfies Record<Kind, unknown>;

export const databaseCheck = (db: Database, kind: Kind): HealthCheck => ({
  name: 'database',
  check: async () => {
    try {
      const { rows } = await sql<{ version: string; size: string; timescale: boolean }>`
        select current_setting('server_version') as version,
               pg_size_pretty(pg_database_size(current_database())) as size,
               exists (select from pg_extension where extname = 'timescaledb') as timescale`.execute(db);
      const { version = '', size = '', timescale = false } = rows[0] ?? {};
      const extension = timescale ? 'with TimescaleDB' : 'without TimescaleDB';
      return { state: 'ok', detail: `PostgreSQL ${version}, ${size}, ${extension}`, fix: null };
    } catch {
      return {
        state: 'failed',
        detail: 'The database does not answer.',
        fix: remedies[kind].database,
      };
    }
  },
});

const HEALTH_CHANNEL = 'sac_health';
const NOTIFICATION_LIMIT_MS = 2 * SECOND_MS;

/** What changes travels to browsers and agents by notifications; one is sent and waited for. */
export const notificationsCheck = (db: Database, notifications: NotificationHub, kind: Kind): HealthCheck => ({
  name: 'notifications',
  check: async () => {
    const mark = randomUUID();
    const arrived = Promise.withResolvers<boolean>();
    const listening = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => {
      listening.resolve(false);
      arrived.resolve(false);
    }, NOTIFICATION_LIMIT_MS);
    const leave = notifications.subscribe(HEALTH_CHANNEL, (payload) => {
      if (payload === null) listening.resolve(true);
      else if (payload === mark) arrived.resolve(true);
    });
    try {
      const startedMs = performance.now();
      if (await listening.promise) await sql`select pg_notify(${HEALTH_CHANNEL}, ${mark})`.execute(db);
      if (await arrived.promise) {
        return { state: 'ok', detail: `Arrive within ${Math.ceil(performance.now() - startedMs)} ms.`, fix: null };
      }
      return {
        state: 'failed',
        detail: `None arrived within ${NOTIFICATION_LIMIT_MS / SECOND_MS} s; pages and agents hear of changes late.`,
        fix: `Usually the database is being started again. If it stays so: ${remedies[kind].restart}.`,
      };
    } finally {
      clearTimeout(timer);
      leave();
    }
  },
});

/** Events are kept for an hour and deleted every few minutes. */
const OLDEST_EVENT_MS = 2 * 60 * MINUTE_MS;
const PENDING_COMMAND_MS = 5 * MINUTE_MS;

/** Background work that stands still shows in rows that nobody takes away. */
export const backgroundCheck = (db: Database, kind: Kind): HealthCheck => ({
  name: 'background work',
  check: async () => {
    const { rows } = await sql<{ events: string; stale: string; waiting: string }>`
      select (select count(*) from outbox) as events,
             (select count(*) from outbox as old
               where old.created_at < now() - ${OLDEST_EVENT_MS / SECOND_MS} * interval '1 second'
                 and exists (select from outbox as newer where newer.user_id = old.user_id and newer.id > old.id)
             ) as stale,
             (select count(*) from commands
               where state = 'pending' and prompt_id is null
                 and expires_at < now() - ${PENDING_COMMAND_MS / SECOND_MS} * interval '1 second') as waiting`.execute(
      db,
    );
    const { events = '0', stale = '0', waiting = '0' } = rows[0] ?? {};
    const detail = `${events} events kept for browsers that come back`;
    if (stale === '0' && waiting === '0') return { state: 'ok', detail: `${detail}.`, fix: null };
    return {
      state: 'warning',
      detail: `${detail}; ${stale} should have been deleted, ${waiting} expired commands were not settled.`,
      fix: `Look at the log of the server for "background job failed", then: ${remedies[kind].restart}.`,
    };
  },
});

/** Three times as long as a sandbox that has nothing new to say is silent. */
const SILENT_MS = 3 * MINUTE_MS;

const silentSandboxes = async (db: Database, uids: readonly string[]): Promise<string[]> => {
  if (uids.length === 0) return [];
  const rows = await db
    .selectFrom('agents')
    .leftJoin('sandbox_reports as report', (join) =>
      join.onRef('report.agent_id', '=', 'agents.id').onRef('report.generation', '=', 'agents.generation'),
    )
    .select('agents.uid')
    .where('agents.uid', 'in', uids)
    .where(
      sql<boolean>`(report.received_at is null
      or report.received_at < now() - ${SILENT_MS / SECOND_MS} * interval '1 second')`,
    )
    .limit(1_000)
    .execute();
  return rows.map(({ uid }) => uid);
};

const NAMED_AT_MOST = 3;
const some = (names: readonly string[]): string =>
  names.slice(0, NAMED_AT_MOST).join(', ') + (names.length > NAMED_AT_MOST ? ', …' : '');
const nameAndCode = ({ agentUid, failure }: ObservedSandbox): string => `${agentUid}: ${failure?.code ?? 'unknown'}`;

/** What the runtime sees of the sandboxes, and whether those that run say anything. */
export const sandboxesCheck = (db: Database, runtime: Pick<Runtime, 'kind' | 'observed'>): HealthCheck => ({
  name: 'sandboxes',
  check: async () => {
    const all = [...runtime.observed().values()].filter(({ state }) => state !== 'gone');
    const failed = all.filter(({ state }) => state === 'failed');
    // One that has just been started has had no time to report.
    const settled = all.filter(({ state, since }) => state === 'running' && Date.now() - since.getTime() > SILENT_MS);
    const silent = await silentSandboxes(
      db,
      settled.map(({ agentUid }) => agentUid),
    );
    const counted = `${all.length} there, ${all.filter(({ state }) => state === 'running').length} running`;
    if (failed.length === 0 && silent.length === 0) return { state: 'ok', detail: `${counted}.`, fix: null };
    const findings = [
      ...(failed.length === 0 ? [] : [`${failed.length} failed (${some(failed.map(nameAndCode))})`]),
      ...(silent.length === 0
        ? []
        : [`${silent.length} silent for over ${SILENT_MS / MINUTE_MS} min (${some(silent)})`]),
    ];
    return {
      state: 'warning',
      detail: `${counted}, ${findings.join(', ')}.`,
      fix: failed[0]?.failure?.fix ?? `Restart these agents; ${remedies[runtime.kind].logs}.`,
    };
  },
});

export const isolationCheck = (
  runtime: Pick<Runtime, 'isolation'>,
  config: Pick<GatewayConfig, 'allowUnisolated'>,
): HealthCheck => ({
  name: 'isolation',
  check: async () => {
    const { isolated, reason, fix, detail = '' } = runtime.isolation();
    if (isolated)
      return {
        state: 'ok',
        detail: `Sandboxes are isolated from the server and each other. ${detail}`.trim(),
        fix: null,
      };
    const who = config.allowUnisolated
      ? 'Everybody may run them, as SAC_ALLOW_UNISOLATED=1 says.'
      : 'Only admins may run them.';
    return {
      state: 'warning',
      detail: `Sandboxes are not isolated: ${(reason ?? 'unknown reason').replace(/\.$/, '')}. ${who}`,
      fix,
    };
  },
});
