import type { Agent } from '@sac/contracts';
import { computed, onScopeDispose, ref, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import { api } from '../../api/client.ts';
import { useToast } from '../../lib/use-toast.ts';

/** After this long without effect the button may be pressed again. */
const STOP_EFFECT_MS = 4000;

/** Stop: interrupts what the CLI is doing, as Esc in its terminal. */
export const useStop = (agent: () => Agent) => {
  const { t } = useI18n();
  const toast = useToast();
  const stopping = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const canStop = computed(() => agent().status.state === 'working' || agent().status.state === 'waiting');
  const settle = (): void => {
    clearTimeout(timer);
    stopping.value = false;
  };
  watch(() => agent().status.state, settle);
  onScopeDispose(settle);

  const stop = async (): Promise<void> => {
    if (!canStop.value || stopping.value) return;
    stopping.value = true;
    timer = setTimeout(settle, STOP_EFFECT_MS);
    try {
      await api.call('interrupt', { params: { agentId: agent().id } });
    } catch (error) {
      settle();
      toast.failed(t('input.stopFailed'), error);
    }
  };
  return { canStop, stopping, stop };
};
