import type { Agent } from '@sac/contracts';
import { useMessage, type InputInst } from 'naive-ui';
import { computed, nextTick, ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { useAgentsStore } from '../../stores/agents.ts';
import { insertAt, pathInPrompt } from './file-path.ts';
import { historyStep, PromptHistory } from './prompt-history.ts';
import type { QueueRow } from './queue-model.ts';
import { textSize } from './text-size.ts';
import { usePromptQueue } from './use-prompt-queue.ts';
import { usePromptText } from './use-prompt-text.ts';
import { useStop } from './use-stop.ts';
import { pastedFiles, useUploads } from './use-uploads.ts';

export interface InputBarOptions {
  readonly agent: () => Agent;
  readonly userId: string;
  /** Something was sent to an agent that sleeps. */
  readonly wake: () => void;
}

/** Text, history, queue, files and Stop of the bar of one agent. */
export const useInputBar = ({ agent, userId, wake }: InputBarOptions) => {
  const { t } = useI18n();
  const agents = useAgentsStore();
  const message = useMessage();
  const agentId = agent().id;
  const place = `${userId}.${agentId}`;
  const text = usePromptText(localStorage, `sac.prompt.${place}`);
  const history = new PromptHistory(localStorage, `sac.history.${place}`);
  const queue = usePromptQueue(agent, userId);
  const stop = useStop(agent);
  const input = ref<InputInst | null>(null);
  const area = (): HTMLTextAreaElement | null => input.value?.textareaElRef ?? null;

  const seedHistory = (): void => {
    const delivered = agents.promptsOf(agentId).filter(({ state }) => state === 'delivered');
    history.seed(delivered.map((prompt) => prompt.text));
  };
  agents.loadPrompts(agentId).then(seedHistory, () => undefined);

  const setText = async (next: string, caret = next.length): Promise<void> => {
    text.value = next;
    await nextTick();
    area()?.setSelectionRange(caret, caret);
  };
  const insertPath = (path: string): void => {
    const element = area();
    const end = text.value.length;
    const [from, to] = [element?.selectionStart ?? end, element?.selectionEnd ?? end];
    const inserted = insertAt(text.value, from, to, pathInPrompt(path));
    void setText(inserted.text, inserted.caret);
  };
  const files = useUploads(agent, insertPath);

  const size = computed(() => textSize(text.value));
  const canSend = computed(() => text.value.trim() !== '' && !size.value.over && files.pending.value === 0);
  const send = (): void => {
    if (!canSend.value) return;
    if (!queue.send(text.value)) {
      message.warning(t('input.outboxFull'), { duration: 8000, closable: true });
      return;
    }
    history.add(text.value);
    text.value = '';
    if (agent().status.state === 'asleep') wake();
  };

  const onKeydown = (event: KeyboardEvent): void => {
    // 229: a key that belongs to an input method although the composition event says nothing.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === 'Escape' && stop.canStop.value) {
      event.preventDefault();
      event.stopPropagation();
      void stop.stop();
    } else {
      const element = area();
      const next = element && historyStep(history, event, element);
      if (next === null) return;
      event.preventDefault();
      void setText(next);
    }
  };

  const onPaste = (event: ClipboardEvent): void => {
    const pasted = pastedFiles(event.clipboardData);
    if (pasted.length === 0) return;
    event.preventDefault();
    files.add(pasted, true);
  };
  /** Within reach of ↑ too: until it has arrived, this page has the only copy. */
  const attachText = (): void => {
    const file = new File([text.value], t('input.pastedFileName'), { type: 'text/plain' });
    if (!files.add([file], false)) return;
    history.add(text.value);
    text.value = '';
  };
  const edit = async (row: QueueRow): Promise<void> => {
    const taken = await queue.takeBack(row);
    if (taken === null) return;
    await setText(text.value === '' ? taken : `${taken}\n${text.value}`);
    input.value?.focus();
  };
  /** Its text stays within reach of ↑: what was written is not lost by one click. */
  const remove = async (row: QueueRow): Promise<void> => {
    const taken = await queue.takeBack(row);
    if (taken !== null) history.add(taken);
  };

  return {
    text,
    input,
    queue,
    stop,
    files,
    size,
    canSend,
    send,
    onKeydown,
    onPaste,
    onTyped: () => history.stop(),
    drop: files.drop,
    attachText,
    edit,
    remove,
  };
};
