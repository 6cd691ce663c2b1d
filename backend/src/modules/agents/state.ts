import type { Agent, AgentFailure, AgentStatus, SandboxReport } from '@sac/contracts';
import type { ObservedSandbox, Runtime } from '../../runtimes/runtime.ts';
import { currentReport, deriveStatus, type StatusInput } from '../reconciler/status.ts';
import { readPodValues } from '../pods/values.ts';
import { mayRunAgents } from './policy.ts';
import type { AgentRecord } from './records.ts';
import { specHashOf, type SpecContext } from './spec.ts';

export interface StateDeps extends SpecContext {
  readonly runtime: Pick<Runtime, 'observed' | 'isolation'>;
  readonly allowUnisolated: boolean;
}

/** With the demo model there again, an agent that failed for want of it starts by itself. */
const standingFailure = (failure: AgentFailure | null, demo: StateDeps['demo']): AgentFailure | null =>
  failure?.code === 'demo_off' && demo !== null ? null : failure;

/** An agent with what is known of its sandbox at this moment. */
export interface AgentState {
  readonly wanted: StatusInput['wanted'];
  readonly observed: ObservedSandbox | undefined;
  readonly status: AgentStatus;
  /** Of the sandbox that runs now; null while there is none. */
  readonly report: SandboxReport | null;
}

export const stateOf = (record: AgentRecord, deps: StateDeps): AgentState => {
  const { row, owner } = record;
  const isolation = deps.runtime.isolation();
  const wanted = {
    desired: row.desired_state,
    desiredChangedAt: row.desired_changed_at,
    startFailedAt: row.start_failed_at,
    generation: row.generation,
    deletedAt: row.deleted_at,
    ownerActive: owner.status === 'active',
    mayRun: mayRunAgents(owner.role, isolation, deps.allowUnisolated),
    startFailure: standingFailure(row.start_failure, deps.demo),
  };
  const observed = deps.runtime.observed().get(row.uid);
  const configurationChanged = row.spec_hash !== specHashOf(record, deps);
  const input = { wanted, observed, report: record.report, configurationChanged, isolation };
  return { wanted, observed, status: deriveStatus(input), report: currentReport(input) };
};

/** The wire form. Written field by field: a new column never leaves the server by itself. */
export const presentAgent = (record: AgentRecord, status: AgentStatus): Agent => {
  const { row } = record;
  return {
    id: row.id,
    uid: row.uid,
    name: row.name,
    icon: row.icon as Agent['icon'], // written only from the schema's list
    description: row.description,
    instructions: row.instructions,
    cli: row.cli,
    permissionMode: row.permission_mode,
    provider: row.provider,
    proxy: row.proxy,
    environment: row.environment.map(({ name, value }) => ({ name, value })),
    hasProviderToken: record.token !== null,
    idleMinutes: row.idle_minutes,
    recordingMegabytes: row.recording_megabytes,
    pod: readPodValues(row.pod),
    keepAwakeUntil: row.keep_awake_until?.toISOString() ?? null,
    generation: row.generation,
    revision: Number(row.published_revision),
    status,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    lastActiveAt: row.last_active_at?.toISOString() ?? null,
  };
};
