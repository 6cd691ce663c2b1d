import type { Agent } from '@sac/contracts';
import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { ApiError } from '../../api/api-error.ts';
import { api } from '../../api/client.ts';
import { describeError, errorLine } from '../../lib/errors.ts';
import { useToast } from '../../lib/use-toast.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { Outbox, type SendFailure } from './outbox.ts';
import { useQueueOrder } from './use-queue-order.ts';
import { isTransient, queueRows, ROW_DELAY_MS, type QueueRow } from './queue-model.ts';

export interface PromptQueue {
  /** What to show, oldest first; without rows that are only just on their way. */
  readonly rows: ComputedRef<readonly QueueRow[]>;
  /** False when too much is unsent already; the text then stays where it is. */
  readonly send: (text: string) => boolean;
  /** Takes a row back. Resolves with its text, or null when it was too late. */
  readonly takeBack: (row: QueueRow) => Promise<string | null>;
  readonly sendAgain: (row: QueueRow) => Promise<void>;
  /** Gives a waiting row the place `to` (from 0) among those that wait. */
  readonly move: (row: QueueRow, to: number) => Promise<void>;
}

const temporaryCodes = new Set([
  'network',
  'timeout',
  'unavailable',
  'database_unavailable',
  'rate_limited',
  'internal',
]);

/** Keys of rows that have been there for a while, so that quick ones never flash up and shift the terminal. */
const useSettledKeys = (rows: () => readonly QueueRow[]): Ref<ReadonlySet<string>> => {
  const settled = ref<ReadonlySet<string>>(new Set());
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  watch(
    rows,
    (current) => {
      const keys = new Set(current.map((row) => row.key));
      for (const [key, timer] of timers) {
        if (keys.has(key)) continue;
        clearTimeout(timer);
        timers.delete(key);
      }
      settled.value = new Set([...settled.value].filter((key) => keys.has(key)));
      for (const key of keys) {
        if (timers.has(key)) continue;
        const settle = (): void => {
          settled.value = new Set([...settled.value, key]);
        };
        timers.set(key, setTimeout(settle, ROW_DELAY_MS));
      }
    },
    { immediate: true },
  );
  onScopeDispose(() => timers.forEach((timer) => clearTimeout(timer)));
  return settled;
};

/** Prompts of one agent between the text box and the CLI. */
export const usePromptQueue = (agent: () => Agent, userId: string): PromptQueue => {
  const { t } = useI18n();
  const toast = useToast();
  const agents = useAgentsStore();
  const agentId = agent().id;

  const explain = (error: unknown): SendFailure => {
    const { requestId } = describeError(error, t);
    const retryAfter = error instanceof ApiError ? error.details?.retryAfterSeconds : undefined;
    return {
      message: errorLine(error, t),
      requestId: requestId || null,
      temporary: error instanceof ApiError && temporaryCodes.has(error.code),
      retryAfterMs: retryAfter === undefined ? null : retryAfter * 1000,
    };
  };
  const outbox = new Outbox({
    send: async (clientRequestId, text) => {
      const prompt = await api.call('sendPrompt', { params: { agentId }, body: { clientRequestId, text } });
      // An event may have told more about it already.
      if (!agents.promptsOf(agentId).some(({ id }) => id === prompt.id)) agents.putPrompt(prompt);
    },
    explain,
    storage: sessionStorage,
    key: `sac.outbox.${userId}.${agentId}`,
    leftOverReason: t('input.leftOver'),
  });
  onScopeDispose(() => outbox.close());

  const prompts = computed(() => agents.promptsOf(agentId));
  watch(prompts, (known) => outbox.confirm(new Set(known.map((prompt) => prompt.clientRequestId))), {
    immediate: true,
  });

  const all = computed(() => queueRows(prompts.value, outbox.entries.value));
  const settled = useSettledKeys(() => all.value);
  const takesInput = computed(() => agent().status.state === 'ready');
  const rows = computed(() =>
    all.value.filter((row) => settled.value.has(row.key) || !isTransient(row, takesInput.value)),
  );

  /** The list is wrong when the server says "too late": the true one is fetched. */
  const refused = async (title: string, error: unknown): Promise<void> => {
    const late = error instanceof ApiError && (error.code === 'conflict' || error.code === 'not_found');
    toast.failed(title, error);
    if (late) await agents.loadPrompts(agentId).catch(() => undefined);
  };
  const cancel = async (promptId: string): Promise<boolean> => {
    try {
      await api.call('cancelPrompt', { params: { agentId, promptId } });
      const prompt = agents.promptsOf(agentId).find(({ id }) => id === promptId);
      if (prompt) agents.putPrompt({ ...prompt, state: 'cancelled' });
      return true;
    } catch (error) {
      await refused(t('input.removeFailed'), error);
      return false;
    }
  };
  const takeBack = async (row: QueueRow): Promise<string | null> => {
    if (row.promptId === null) return outbox.remove(row.clientRequestId)?.text ?? null;
    return (await cancel(row.promptId)) ? row.text : null;
  };
  /** Both ways name what is repeated, so that a second click or a lost answer never makes two prompts of one. */
  const sendAgain = async (row: QueueRow): Promise<void> => {
    const { promptId, settledAt } = row;
    if (promptId === null) return outbox.retry(row.clientRequestId);
    if (settledAt === null) return;
    try {
      const asked = agents.promptsOf(agentId).find(({ id }) => id === promptId);
      const answer = await api.call('retryPrompt', { params: { agentId, promptId }, body: { settledAt } });
      agents.putPromptAnswer(asked, answer);
    } catch (error) {
      await refused(t('input.againFailed'), error);
    }
  };
  const move = useQueueOrder(agentId, () => all.value, refused);
  return { rows, send: (text) => outbox.add(text), takeBack, sendAgain, move };
};
