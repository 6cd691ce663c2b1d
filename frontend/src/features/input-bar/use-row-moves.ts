import { computed, nextTick, ref, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { QueueRow } from './queue-model.ts';

/** Tells rows of this page from whatever else is dragged over it. */
const DRAG_TYPE = 'application/x-sac-prompt';

/** Moving waiting prompts: one step by button, anywhere by dragging. */
export const useRowMoves = (options: {
  readonly list: Readonly<Ref<HTMLElement | null>>;
  readonly rows: () => readonly QueueRow[];
  readonly move: (row: QueueRow, to: number) => void;
}) => {
  const { t } = useI18n();
  const movable = computed(() => options.rows().filter((row) => row.canMove));
  const placeOf = (row: QueueRow): number => movable.value.findIndex(({ key }) => key === row.key);
  const dragged = ref<string | null>(null);
  const over = ref<string | null>(null);
  /** For those who cannot see the row move. */
  const said = ref('');

  const move = (row: QueueRow, to: number): void => {
    options.move(row, to);
    said.value = t('input.moved', { place: to + 1, count: movable.value.length });
  };
  /** The button keeps the keyboard although its row moved; at either end the other button takes it. */
  const step = async (row: QueueRow, by: 1 | -1): Promise<void> => {
    move(row, placeOf(row) + by);
    await nextTick();
    const buttons = options.list.value?.querySelectorAll<HTMLButtonElement>(
      `[data-key="${CSS.escape(row.key)}"] button[data-way]`,
    );
    const usable = [...(buttons ?? [])].filter((button) => !button.disabled);
    (usable.find((button) => button.dataset['way'] === String(by)) ?? usable[0])?.focus();
  };

  const onDragStart = (event: DragEvent, row: QueueRow): void => {
    if (!row.canMove || !event.dataTransfer) return;
    event.dataTransfer.setData(DRAG_TYPE, row.key);
    event.dataTransfer.effectAllowed = 'move';
    dragged.value = row.key;
  };
  const onDragOver = (event: DragEvent, row: QueueRow): void => {
    const here = dragged.value !== null && row.canMove;
    over.value = here && row.key !== dragged.value ? row.key : null;
    if (here) event.preventDefault();
  };
  const onDragEnd = (): void => {
    dragged.value = null;
    over.value = null;
  };
  const onDrop = (event: DragEvent, row: QueueRow): void => {
    const from = options.rows().find(({ key }) => key === dragged.value);
    onDragEnd();
    if (!from || !row.canMove) return;
    event.preventDefault();
    if (from.key !== row.key) move(from, placeOf(row));
  };
  return { movable, placeOf, step, dragged, over, onDragStart, onDragOver, onDrop, onDragEnd, said };
};
