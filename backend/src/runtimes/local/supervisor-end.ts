import { rm } from 'node:fs/promises';
import type { SupervisorRecord } from '@sac/contracts';
import type { Logger } from 'pino';
import { readRecord, supervisorLives, SupervisorLink, waitUntilGone } from './supervisor-link.ts';

/** Beyond the grace that the sandbox got: time of the supervisor itself. */
export const SUPERVISOR_MARGIN_MS = 12_000;

export interface SupervisorEnd {
  readonly recordPath: string;
  /** Null when this process has no connection to it. */
  readonly link: SupervisorLink | null;
  /** What the programs in the sandbox get before they are killed. */
  readonly graceMs: number;
  readonly logger: Logger;
}

const signalPid = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
};

const deaf = { onStatus: () => undefined, onEnd: () => undefined };

const endLiving = async (record: SupervisorRecord, { link, graceMs, logger }: SupervisorEnd): Promise<void> => {
  const own = link ?? (await SupervisorLink.open(record.statusSocket, deaf).catch(() => null));
  own?.request({ kind: 'stop', graceMs });
  if (own === null) signalPid(record.pid, 'SIGTERM');
  if (!(await waitUntilGone(record, graceMs + SUPERVISOR_MARGIN_MS))) {
    const { agentUid, pid } = record;
    logger.warn({ agentUid, pid }, 'supervisor did not end in time and is killed');
    signalPid(pid, 'SIGKILL');
    await waitUntilGone(record, SUPERVISOR_MARGIN_MS);
  }
  own?.close();
};

/** Ends the supervisor of a record, if it lives, and removes the record: also one this process never saw start. */
export const endSupervisor = async (end: SupervisorEnd): Promise<void> => {
  const record = await readRecord(end.recordPath);
  if (record !== null && (await supervisorLives(record))) await endLiving(record, end);
  await rm(end.recordPath, { force: true });
};
