import type { Agent } from '@sac/contracts';
import { useNotification } from 'naive-ui';
import { h } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import { api } from '../../api/client.ts';
import { useToast } from '../../lib/use-toast.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import UndoDelete from './UndoDelete.vue';
import { useQuestion } from '../../lib/use-question.ts';

/** Deletes an agent after asking, then offers to take it back for as long as the server can. */
export const useDeleteAgent = () => {
  const { t } = useI18n();
  const ask = useQuestion();
  const notification = useNotification();
  const toast = useToast();
  const router = useRouter();
  const agents = useAgentsStore();

  const restore = async (deleted: Agent): Promise<void> => {
    try {
      agents.put(await api.call('restoreAgent', { params: { agentId: deleted.id } }));
      toast.done(t('agent.restored', { name: deleted.name }));
      await router.push({ name: 'agent', params: { agentId: deleted.id } });
    } catch (error) {
      toast.failed(t('agent.restoreFailed', { name: deleted.name }), error);
    }
  };
  const offerUndo = (deleted: Agent, until: string): void => {
    const onUndo = (): void => {
      note.destroy();
      void restore(deleted);
    };
    const note = notification.create({
      title: t('agent.deleted', { name: deleted.name }),
      content: () => h(UndoDelete, { until, onUndo, onOver: () => note.destroy() }),
      keepAliveOnHover: false,
    });
  };

  const goes = () =>
    h('div', { class: 'col g8' }, [
      h('p', [h('span', { class: 'muted' }, `${t('agent.deleteGoes')} `), t('agent.deleteGoesText')]),
      h('p', { class: 'muted' }, t('agent.deleteStays')),
    ]);
  const confirm = (agent: Agent): Promise<boolean> =>
    ask({
      title: t('agent.deleteTitle', { name: agent.name }),
      text: goes,
      stay: t('agent.deleteKeep'),
      go: t('agent.deleteConfirm'),
      dangerous: true,
      testid: 'confirm-delete',
    });
  /** Rejects with ApiError when the server refuses. */
  const remove = async (agent: Agent): Promise<void> => {
    const { restorableUntil } = await api.call('deleteAgent', { params: { agentId: agent.id } });
    await router.push({ name: 'home' });
    agents.remove(agent.id);
    offerUndo(agent, restorableUntil);
  };
  return { confirm, remove };
};
