import type { Agent } from '@sac/contracts';
import { ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { api } from '../../api/client.ts';
import { useToast } from '../../lib/use-toast.ts';
import { useAgentsStore } from '../../stores/agents.ts';

/** Keeps one agent awake for so many minutes from now; 0 ends that. */
export const useKeepAwake = (agent: () => Agent) => {
  const { t } = useI18n();
  const toast = useToast();
  const agents = useAgentsStore();
  const busy = ref(false);

  const keep = async (minutes: number): Promise<void> => {
    if (busy.value) return;
    busy.value = true;
    try {
      agents.put(await api.call('keepAwake', { params: { agentId: agent().id }, body: { minutes } }));
    } catch (error) {
      toast.failed(t('agent.keepAwakeFailed'), error);
    } finally {
      busy.value = false;
    }
  };
  return { busy, keep };
};
