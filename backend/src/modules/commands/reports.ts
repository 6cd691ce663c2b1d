import type { SandboxReport } from '@sac/contracts';
import { sql } from 'kysely';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import { AGENTS_CHANNEL, COMMANDS_CHANNEL, notify } from '../agents/channels.ts';
import type { SidecarIdentity } from './internal-auth.ts';

/**
 * Stores the newest report of a sandbox. Within one sidecar process the higher sequence wins, so that a
 * request that was overtaken on the way changes nothing.
 */
export const storeReport = (db: Database, identity: SidecarIdentity, report: SandboxReport): Promise<void> =>
  inTransaction(db, async (trx) => {
    const values = {
      generation: identity.generation,
      sidecar_id: report.sidecarId,
      sequence: report.sequence,
      report: JSON.stringify(report),
    };
    const stored = await trx
      .insertInto('sandbox_reports')
      .values({ agent_id: identity.agentId, ...values })
      .onConflict((conflict) =>
        conflict
          .column('agent_id')
          .doUpdateSet({ ...values, received_at: sql`now()` })
          .where((eb) =>
            eb.and([
              eb('sandbox_reports.generation', '<=', identity.generation),
              eb.or([
                eb('sandbox_reports.generation', '<', identity.generation),
                eb('sandbox_reports.sidecar_id', '!=', report.sidecarId),
                eb('sandbox_reports.sequence', '<', String(report.sequence)),
              ]),
            ]),
          ),
      )
      .returning('agent_id')
      .executeTakeFirst();
    if (!stored) return;
    await notify(trx, AGENTS_CHANNEL, identity.agentId);
    if (report.activity.state === 'ready') await notify(trx, COMMANDS_CHANNEL, identity.agentId);
  });
