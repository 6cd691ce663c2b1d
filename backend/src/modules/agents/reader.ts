import type { Agent } from '@sac/contracts';
import type { DatabaseOrTransaction } from '../../db/database.ts';
import { notFound } from '../../lib/app-error.ts';
import { findAgentRecord, findOwnAgent, type AgentRecord } from './records.ts';
import { presentAgent, stateOf, type StateDeps } from './state.ts';

/** Finds and presents agents; what all parts of the service share. */
export interface AgentReader {
  /** Throws not_found also when it belongs to somebody else. */
  findOwn(db: DatabaseOrTransaction, ownerId: string, agentId: string): Promise<AgentRecord>;
  present(record: AgentRecord): Agent;
  presentById(db: DatabaseOrTransaction, agentId: string): Promise<Agent>;
}

export const createAgentReader = (deps: StateDeps): AgentReader => {
  const present = (record: AgentRecord): Agent => presentAgent(record, stateOf(record, deps).status);
  return {
    present,
    findOwn: async (db, ownerId, agentId) => {
      const record = await findOwnAgent(db, ownerId, agentId);
      if (!record) throw notFound('This agent');
      return record;
    },
    presentById: async (db, agentId) => {
      const record = await findAgentRecord(db, agentId);
      if (!record) throw notFound('This agent');
      return present(record);
    },
  };
};
