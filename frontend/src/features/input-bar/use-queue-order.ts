import { useI18n } from 'vue-i18n';
import { api } from '../../api/client.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { orderAfterMove, type QueueRow } from './queue-model.ts';

/** Moves waiting prompts of one agent: at once on this page, then at the server, whose order counts. */
export const useQueueOrder = (
  agentId: string,
  rows: () => readonly QueueRow[],
  refused: (title: string, error: unknown) => Promise<void>,
): ((row: QueueRow, to: number) => Promise<void>) => {
  const { t } = useI18n();
  const agents = useAgentsStore();
  /** The newest wish; answers to earlier ones would move rows back under the person's hand. */
  let wish = 0;

  const show = (promptIds: readonly string[]): void => {
    const wanted = new Map(promptIds.map((id, index) => [id, index]));
    const waiting = agents.promptsOf(agentId).filter(({ id }) => wanted.has(id));
    const places = waiting.map(({ position }) => position).sort((a, b) => a - b);
    for (const prompt of waiting) {
      agents.putPrompt({ ...prompt, position: places[wanted.get(prompt.id) ?? 0] ?? prompt.position });
    }
  };

  return async (row, to) => {
    const promptIds = orderAfterMove(rows(), row, to);
    if (promptIds === null) return;
    const mine = ++wish;
    const before = rows().flatMap(({ canMove, promptId }) => (canMove && promptId !== null ? [promptId] : []));
    show(promptIds);
    const shown = new Map(agents.promptsOf(agentId).map((prompt) => [prompt.id, prompt]));
    try {
      const { prompts } = await api.call('reorderPrompts', { params: { agentId }, body: { promptIds } });
      if (mine === wish) for (const prompt of prompts) agents.putPromptAnswer(shown.get(prompt.id), prompt);
    } catch (error) {
      if (mine === wish) show(before);
      await refused(t('input.moveFailed'), error);
    }
  };
};
