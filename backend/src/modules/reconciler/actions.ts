import type { AgentFailure } from '@sac/contracts';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import { inTransaction } from '../../db/transaction.ts';
import type { RecordingSetting, Runtime } from '../../runtimes/runtime.ts';
import { STOP_GRACE_MS } from '../agents/lifetimes.ts';
import type { AgentRecord } from '../agents/records.ts';
import { buildSpec, podValuesOf, specHashOf, TokenLostError, type SpecContext } from '../agents/spec.ts';
import { noLongerAllowed } from '../pods/allowed.ts';
import { settleStaleCommands } from '../prompts/dispatcher.ts';
import { createEndLog, type EndLog } from './end-log.ts';
import { recordEnd, recordStart } from './starts.ts';

const startFailure = (error: unknown): AgentFailure => ({
  code: 'sandbox_start_failed',
  reason: `The sandbox could not be started: ${(error instanceof Error ? error.message : String(error)).slice(0, 500)}`,
  fix: 'Restart the agent; if it happens again, an administrator finds the cause in the server log.',
  output: null,
});

const demoFailure: AgentFailure = {
  code: 'demo_off',
  reason: 'This agent uses the demo model, and the server runs without it.',
  fix: 'Choose another model provider in the settings of the agent, or start the server with DEMO=1.',
  output: null,
};

const tokenLostFailure: AgentFailure = {
  code: 'token_lost',
  reason: 'The stored API key cannot be read any more: the keys of this server were replaced.',
  fix: 'Enter the API key anew in the settings of the agent, then start it again.',
  output: null,
};

const endedFailure: AgentFailure = {
  code: 'sandbox_crash_loop',
  reason: 'The sandbox ended by itself several times in a row and is not started again.',
  fix: 'Restart the agent; if it happens again, an administrator finds the cause in the server log.',
  output: null,
};

export interface ActionDeps extends SpecContext {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly logger: Logger;
  /** The setting in force. */
  readonly recording: () => Promise<RecordingSetting>;
}

/** The steps `decide` may ask for. Each may be repeated, and ended anywhere by the death of the process. */
export interface Actions {
  readonly endings: Pick<EndLog, 'seen'>;
  /** Makes a sandbox of this generation, storing that first. */
  start(record: AgentRecord, generation: number): Promise<void>;
  /** The same for one that should be there and is not. Returns how long to wait before trying, 0 when it was tried. */
  startMissing(record: AgentRecord, generation: number): Promise<number>;
  /** Makes the stored generation, replacing an older sandbox. */
  replace(record: AgentRecord): Promise<void>;
  /** Tells a runtime whose objects others can change what they were made from, as long as that is known. */
  confirm(record: AgentRecord): Promise<void>;
  stop(record: AgentRecord): Promise<void>;
  remove(record: AgentRecord): Promise<void>;
  /** From now on failures may be the end of this process, not of the sandbox. */
  closing(): void;
}

export const createActions = (deps: ActionDeps): Actions => {
  const { db, runtime, logger } = deps;
  const endings = createEndLog();
  let isClosing = false;

  const fail = async (agentId: string, failure: AgentFailure): Promise<void> => {
    await db
      .updateTable('agents')
      .set({ start_failure: JSON.stringify(failure), start_failed_at: sql<Date>`now()` })
      .where('id', '=', agentId)
      .execute();
  };

  /** The new generation is stored before anything is made, so no two sandboxes ever share one. */
  const storeStart = (record: AgentRecord, generation: number): Promise<boolean> =>
    inTransaction(db, async (trx) => {
      const specHash = specHashOf(record, deps);
      const { numUpdatedRows } = await trx
        .updateTable('agents')
        .set({ generation, spec_hash: specHash, start_failure: null, start_failed_at: null })
        .where('id', '=', record.row.id)
        .where('generation', '=', record.row.generation)
        .where('desired_state', '=', 'awake')
        .where('deleted_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false; // changed meanwhile; that change has woken the reconciler again
      await recordStart(trx, { agentId: record.row.id, generation, specHash });
      return true;
    });

  const start: Actions['start'] = async (record, generation) => {
    const { row } = record;
    if (row.provider?.preset === 'demo' && !deps.demo) return fail(row.id, demoFailure);
    const values = podValuesOf(record, deps);
    const refused = values && deps.pods && noLongerAllowed(deps.pods, values);
    if (refused) return fail(row.id, refused);
    if (!(await storeStart(record, generation))) return;
    await settleStaleCommands(db, row.id, false);
    try {
      const recording = await deps.recording();
      await runtime.ensure(buildSpec(record, generation, { ...deps, recording }));
    } catch (error) {
      if (isClosing) return; // the next process finds it missing and starts it
      const isTokenLost = error instanceof TokenLostError;
      if (isTokenLost) logger.warn({ agentUid: row.uid, generation }, error.message);
      else logger.error({ err: error, agentUid: row.uid, generation }, 'sandbox could not be started');
      const failure = isTokenLost ? tokenLostFailure : startFailure(error);
      await recordEnd(db, { agentId: row.id, generation, result: 'failed', reason: failure.reason });
      await fail(row.id, failure);
    }
  };

  const startMissing: Actions['startMissing'] = async (record, generation) => {
    const { id, uid, generation: ended } = record.row;
    const { unexpected, giveUp, waitMs } = endings.note(uid, ended);
    if (unexpected) {
      logger.warn({ agentUid: uid, generation: ended }, 'sandbox ended by itself');
      await recordEnd(db, { agentId: id, generation: ended, result: 'failed', reason: 'The sandbox ended by itself.' });
    }
    if (giveUp) await fail(id, endedFailure);
    else if (waitMs === 0) await start(record, generation);
    return waitMs;
  };

  return {
    endings,
    start,
    startMissing,
    replace: (record) => {
      endings.forget(record.row.uid);
      return start(record, record.row.generation);
    },
    confirm: async (record) => {
      const { row } = record;
      // With another configuration the person is asked to restart; what runs was made from one that is not stored any more.
      if (runtime.kind !== 'kubernetes' || specHashOf(record, deps) !== row.spec_hash) return;
      await runtime.ensure(buildSpec(record, row.generation, { ...deps, recording: await deps.recording() }));
    },
    stop: async ({ row }) => {
      endings.forget(row.uid);
      await runtime.stop(row.uid, { graceMs: STOP_GRACE_MS });
      await recordEnd(db, {
        agentId: row.id,
        generation: row.generation,
        result: 'ended',
        reason: 'The sandbox was stopped.',
      });
      await settleStaleCommands(db, row.id, true);
    },
    remove: async ({ row }) => {
      endings.forget(row.uid);
      await runtime.remove(row.uid);
      await db.deleteFrom('agents').where('id', '=', row.id).where('deleted_at', 'is not', null).execute();
    },
    closing: () => {
      isClosing = true;
    },
  };
};
