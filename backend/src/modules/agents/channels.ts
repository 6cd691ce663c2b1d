import { sql } from 'kysely';
import type { DatabaseOrTransaction } from '../../db/database.ts';

/** Payload: agent id. Something about the agent changed: desired state, configuration or its sidecar's report. */
export const AGENTS_CHANNEL = 'sac_agents';
/** Payload instead of an agent id: something changed that may concern many, such as an account. */
export const ALL_AGENTS = 'all';
/** Payload: agent id. There may be something to send to the agent's sidecar. */
export const COMMANDS_CHANNEL = 'sac_commands';
/** Payload: command id. The command is settled. */
export const COMMAND_RESULTS_CHANNEL = 'sac_command_results';

/** Wakes listeners when the surrounding transaction commits. */
export const notify = async (db: DatabaseOrTransaction, channel: string, id: string): Promise<void> => {
  await sql`select pg_notify(${channel}, ${id})`.execute(db);
};
