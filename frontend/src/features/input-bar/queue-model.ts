import type { Prompt } from '@sac/contracts';

/** A prompt that has left the box but which the server has not confirmed. */
export interface Outgoing {
  readonly clientRequestId: string;
  readonly text: string;
  /** `waiting`: behind another one; `sending`: under way; `failed`: a person has to decide. */
  readonly state: 'waiting' | 'sending' | 'failed';
  readonly reason: string | null;
  readonly requestId: string | null;
}

export type QueueState = 'sending' | 'notSent' | 'queued' | 'delivering' | 'unknown' | 'failed';

export interface QueueRow {
  readonly key: string;
  readonly text: string;
  readonly state: QueueState;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly createdAt: string | null;
  readonly promptId: string | null;
  readonly clientRequestId: string;
  readonly canEdit: boolean;
  readonly canRemove: boolean;
  readonly canSendAgain: boolean;
  /** It waits at the server, so its place in the queue can be changed. */
  readonly canMove: boolean;
  /** When the server gave up on it; names the decision a person makes about it. */
  readonly settledAt: string | null;
}

const openStates = new Set<Prompt['state']>(['queued', 'delivering', 'unknown', 'failed']);

const byPlace = (a: Prompt, b: Prompt): number => a.position - b.position;

const promptRow = (prompt: Prompt): QueueRow => {
  const state = prompt.state as 'queued' | 'delivering' | 'unknown' | 'failed';
  const undecided = state === 'unknown' || state === 'failed';
  return {
    key: prompt.clientRequestId,
    text: prompt.text,
    state,
    reason: prompt.reason,
    requestId: null,
    createdAt: prompt.createdAt,
    promptId: prompt.id,
    clientRequestId: prompt.clientRequestId,
    canEdit: state !== 'delivering',
    canRemove: state !== 'delivering',
    canSendAgain: undecided,
    canMove: state === 'queued',
    settledAt: prompt.settledAt,
  };
};

const outgoingRow = (outgoing: Outgoing): QueueRow => {
  const failed = outgoing.state === 'failed';
  return {
    key: outgoing.clientRequestId,
    text: outgoing.text,
    state: failed ? 'notSent' : 'sending',
    reason: outgoing.reason,
    requestId: outgoing.requestId,
    createdAt: null,
    promptId: null,
    clientRequestId: outgoing.clientRequestId,
    canEdit: failed || outgoing.state === 'waiting',
    canRemove: failed || outgoing.state === 'waiting',
    canSendAgain: failed,
    canMove: false,
    settledAt: null,
  };
};

/** What is not delivered yet, next one first: the server's prompts, then what has not reached the server. */
export const queueRows = (prompts: readonly Prompt[], outgoing: readonly Outgoing[]): QueueRow[] => {
  const known = new Set(prompts.map((prompt) => prompt.clientRequestId));
  return [
    ...prompts
      .filter((prompt) => openStates.has(prompt.state))
      .sort(byPlace)
      .map(promptRow),
    ...outgoing.filter((entry) => !known.has(entry.clientRequestId)).map(outgoingRow),
  ];
};

/** A row that only says "on its way" is shown when that takes long enough to wonder; every other one at once. */
export const ROW_DELAY_MS = 700;
export const isTransient = (row: QueueRow, agentTakesInput: boolean): boolean =>
  row.state === 'sending' || row.state === 'delivering' || (row.state === 'queued' && agentTakesInput);

/** Ids of the prompts that wait, in the order after `row` went to place `to` among them; null when nothing moves. */
export const orderAfterMove = (rows: readonly QueueRow[], row: QueueRow, to: number): string[] | null => {
  const ids = rows.flatMap(({ canMove, promptId }) => (canMove && promptId !== null ? [promptId] : []));
  const from = row.promptId === null ? -1 : ids.indexOf(row.promptId);
  const target = Math.max(0, Math.min(ids.length - 1, to));
  const [moved] = from < 0 || from === target ? [] : ids.splice(from, 1);
  return moved === undefined ? null : ids.toSpliced(target, 0, moved);
};

/** Of a long queue these are listed: what needs a decision before all else, then what comes next. Order is kept. */
export const rowsInShort = (rows: readonly QueueRow[], most: number): readonly QueueRow[] => {
  const urgent = rows.filter((row) => row.canSendAgain);
  const chosen = new Set([...urgent, ...rows.filter((row) => !row.canSendAgain)].slice(0, most));
  return rows.filter((row) => chosen.has(row));
};
