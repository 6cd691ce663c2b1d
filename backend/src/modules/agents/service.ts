import type { Agent, SandboxUsage } from '@sac/contracts';
import type { Transaction } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import type { Tables } from '../../db/tables.ts';
import { inTransaction } from '../../db/transaction.ts';
import type { Runtime } from '../../runtimes/runtime.ts';
import { createAgentEditing, type AgentEditing, type AgentEditingDeps } from './editing.ts';
import { assertMayRunAgents, type Owner } from './policy.ts';
import { createAgentReader } from './reader.ts';
import { listOwnAgents, notePresence, type AgentRecord } from './records.ts';
import { lockAgent, setDesired } from './repository.ts';
import { stateOf, type AgentState, type StateDeps } from './state.ts';

export type AgentServiceDeps = StateDeps & AgentEditingDeps & { readonly runtime: Pick<Runtime, 'usage'> };

/** An own agent as found in the database, with its state. */
export interface OwnAgent {
  readonly record: AgentRecord;
  readonly state: AgentState;
}

export interface AgentService extends AgentEditing {
  list(owner: Owner): Promise<{ agents: Agent[]; limit: number }>;
  get(owner: Owner, agentId: string): Promise<Agent>;
  usage(owner: Owner, agentId: string): Promise<SandboxUsage | null>;
  restart(owner: Owner, agentId: string): Promise<Agent>;
  sleep(owner: Owner, agentId: string): Promise<Agent>;
  /** Asks for the sandbox to be awake, within the caller's transaction. Refuses where the owner may not run agents. */
  wake(trx: Transaction<Tables>, owner: Owner, agentId: string): Promise<Agent>;
  /** For other features: the agent and its state, or not_found. */
  own(owner: Pick<Owner, 'id'>, agentId: string, db?: DatabaseOrTransaction): Promise<OwnAgent>;
  assertMayRun(owner: Owner): void;
}

export const createAgentService = (deps: AgentServiceDeps): AgentService => {
  const { db } = deps;
  const reader = createAgentReader(deps);
  const assertMayRun: AgentService['assertMayRun'] = ({ role }) =>
    assertMayRunAgents(role, deps.runtime.isolation(), deps.allowUnisolated);

  const restart: AgentService['restart'] = async (owner, agentId) => {
    assertMayRun(owner);
    return inTransaction(db, async (trx) => {
      await reader.findOwn(trx, owner.id, agentId);
      await setDesired(trx, agentId, { desired: 'awake', newGeneration: true });
      return reader.presentById(trx, agentId);
    });
  };

  const sleep: AgentService['sleep'] = (owner, agentId) =>
    inTransaction(db, async (trx) => {
      const { row } = await reader.findOwn(trx, owner.id, agentId);
      if (row.desired_state !== 'asleep') await setDesired(trx, agentId, { desired: 'asleep', newGeneration: false });
      return reader.presentById(trx, agentId);
    });

  const wake: AgentService['wake'] = async (trx, owner, agentId) => {
    // What puts idle agents to sleep may be looking at this one now: it waits and sees that somebody is there.
    await lockAgent(trx, owner.id, agentId);
    const { row } = await reader.findOwn(trx, owner.id, agentId);
    assertMayRun(owner);
    if (row.desired_state !== 'awake') await setDesired(trx, agentId, { desired: 'awake', newGeneration: false });
    await notePresence(trx, agentId);
    return reader.presentById(trx, agentId);
  };

  return {
    list: async (owner) => {
      const [records, limit] = await Promise.all([listOwnAgents(db, owner.id), deps.agentsPerUser(db, owner.id)]);
      return { agents: records.map(reader.present), limit };
    },
    get: async (owner, agentId) => reader.present(await reader.findOwn(db, owner.id, agentId)),
    usage: async (owner, agentId) => {
      const { row } = await reader.findOwn(db, owner.id, agentId);
      return (await deps.runtime.usage?.(row.uid)) ?? null;
    },
    ...createAgentEditing(deps, reader, assertMayRun),
    restart,
    sleep,
    wake,
    assertMayRun,
    own: async (owner, agentId, source = db) => {
      const record = await reader.findOwn(source, owner.id, agentId);
      return { record, state: stateOf(record, deps) };
    },
  };
};
