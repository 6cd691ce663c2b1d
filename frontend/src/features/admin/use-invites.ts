import type { Invite } from '@sac/contracts';
import { shallowRef } from 'vue';
import { api } from '../../api/client.ts';

/** Invites that can still be used. */
export const useInvites = () => {
  const list = shallowRef<readonly Invite[] | null>(null);
  const error = shallowRef<unknown>(null);
  const load = async (): Promise<void> => {
    try {
      list.value = (await api.call('listInvites')).invites;
      error.value = null;
    } catch (cause) {
      error.value = cause;
    }
  };
  /** Rejects with ApiError. */
  const withdraw = async (invite: Invite): Promise<void> => {
    await api.call('deleteInvite', { params: { inviteId: invite.id } });
    list.value = (list.value ?? []).filter((other) => other.id !== invite.id);
  };
  return { list, error, load, withdraw };
};
