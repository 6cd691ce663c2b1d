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
    canEdit: state === 'queued',
    canRemove: state !== 'delivering',
    canSendAgain: undecided,
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
