import type { Agent } from '@sac/contracts';
import { ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import { api } from '../../api/client.ts';
import { useToast } from '../../lib/use-toast.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { useDeleteAgent } from './use-delete-agent.ts';
import { useQuestion } from '../../lib/use-question.ts';

/** Restart, sleep, delete and settings of one agent, with the questions before and the toasts after. */
export const useAgentActions = (agent: () => Agent) => {
  const { t } = useI18n();
  const ask = useQuestion();
  const toast = useToast();
  const router = useRouter();
  const agents = useAgentsStore();
  const deletion = useDeleteAgent();
  const busy = ref<'restart' | 'sleep' | 'delete' | null>(null);
  const params = () => ({ params: { agentId: agent().id } });

  const run = async (
    name: NonNullable<typeof busy.value>,
    failure: string,
    work: () => Promise<void>,
  ): Promise<void> => {
    if (busy.value) return;
    busy.value = name;
    try {
      await work();
    } catch (error) {
      toast.failed(failure, error);
    } finally {
      busy.value = null;
    }
  };
  /** Only work under way is worth a question: everything else is kept. */
  const mayInterrupt = async (name: 'restart' | 'sleep'): Promise<boolean> =>
    agent().status.state !== 'working' ||
    ask({
      title: t(`agent.${name}Title`, { name: agent().name }),
      text: () => t(`agent.${name}Text`),
      stay: t('agent.keepWorking'),
      go: t(`agent.${name}`),
      dangerous: false,
      testid: `confirm-${name}`,
    });

  const restart = async (): Promise<void> => {
    if (!(await mayInterrupt('restart'))) return;
    await run('restart', t('agent.restartFailed'), async () => agents.put(await api.call('restartAgent', params())));
  };
  const sleep = async (): Promise<void> => {
    if (!(await mayInterrupt('sleep'))) return;
    await run('sleep', t('agent.sleepFailed'), async () => agents.put(await api.call('sleepAgent', params())));
  };
  const remove = async (): Promise<void> => {
    const doomed = agent();
    if (await deletion.confirm(doomed)) {
      await run('delete', t('agent.deleteFailed', { name: doomed.name }), () => deletion.remove(doomed));
    }
  };
  const edit = (): Promise<unknown> => router.push({ name: 'agent-edit', params: { agentId: agent().id } });

  return { busy, restart, sleep, remove, edit };
};
