import type { Session } from '@sac/contracts';
import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import { ApiError } from '../../api/api-error.ts';
import { api } from '../../api/client.ts';
import { isAbort } from '../../lib/errors.ts';
import { useAgentsStore } from '../../stores/agents.ts';

export interface AgentSession {
  readonly session: ShallowRef<Session | null>;
  readonly opening: Ref<boolean>;
  /** Why the agent could not be opened; null while it can. */
  readonly error: ShallowRef<unknown>;
  /** Asks for the sandbox to be awake and for a session of this page. Never rejects. */
  readonly open: () => Promise<void>;
}

/**
 * This page's session on one agent. It is closed when the page goes; the sandbox goes on. A browser that
 * vanishes without saying so leaves a session that the server ends by itself.
 */
export const useAgentSession = (agentId: string): AgentSession => {
  const agents = useAgentsStore();
  const session = shallowRef<Session | null>(null);
  const opening = ref(false);
  const error = shallowRef<unknown>(null);
  let controller: AbortController | null = null;
  let gone = false;

  const close = (old: Session | null): void => {
    if (old) void api.call('closeSession', { params: { sessionId: old.id } }).catch(() => undefined);
  };

  const open = async (): Promise<void> => {
    controller?.abort();
    const mine = (controller = new AbortController());
    opening.value = true;
    error.value = null;
    try {
      const answer = await api.call('openSession', { body: { agentId } }, { signal: mine.signal });
      if (gone || mine.signal.aborted) return close(answer.session);
      agents.put(answer.agent);
      close(session.value);
      session.value = answer.session;
    } catch (cause) {
      if (isAbort(cause) || mine.signal.aborted) return;
      if (cause instanceof ApiError && cause.code === 'not_found') agents.remove(agentId);
      error.value = cause;
    } finally {
      if (controller === mine) opening.value = false;
    }
  };

  onScopeDispose(() => {
    gone = true;
    controller?.abort();
    close(session.value);
  });
  return { session, opening, error, open };
};
