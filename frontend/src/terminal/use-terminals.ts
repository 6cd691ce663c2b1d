import { limits, type Terminal } from '@sac/contracts';
import { computed, onScopeDispose, ref, watch } from 'vue';
import type { Api } from '../api/client.ts';
import { useAgentsStore } from '../stores/agents.ts';

/** Terminals that stay connected behind the one in front; the longest unseen one goes when another is opened. */
const KEPT_OPEN = 4;

export interface UseTerminalsOptions {
  readonly api: Api;
  readonly agentId: string;
  readonly sessionId: string;
  readonly onError: (what: 'create' | 'close', error: unknown) => void;
}

const mainBeforeNews: Terminal = { name: 'main', title: '', running: true, viewers: 0, exit: null };

/** The terminals of a sandbox and which of them this page shows. */
export const useTerminals = ({ api, agentId, sessionId, onError }: UseTerminalsOptions) => {
  const agents = useAgentsStore();
  const selected = ref('main');
  const creating = ref(false);
  /** Most recently shown first. */
  const opened = ref<readonly string[]>(['main']);
  const abort = new AbortController();
  onScopeDispose(() => abort.abort());

  const terminals = computed<readonly Terminal[]>(() => {
    const known = agents.terminalsOf(agentId);
    return known.some((terminal) => terminal.name === 'main') ? known : [mainBeforeNews, ...known];
  });
  const mayCreate = computed(() => terminals.value.length < limits.terminalsPerSandbox);

  const select = (name: string): void => {
    selected.value = name;
    opened.value = [name, ...opened.value.filter((other) => other !== name)].slice(0, KEPT_OPEN);
  };
  watch(terminals, (list) => {
    const names = new Set(list.map((terminal) => terminal.name));
    opened.value = opened.value.filter((name) => names.has(name));
    if (!names.has(selected.value)) select('main');
  });

  /** News comes with events; this is for a page that opens on a sandbox that has been running for long. */
  const load = async (): Promise<void> => {
    try {
      const answer = await api.call('listTerminals', { params: { sessionId } }, { signal: abort.signal });
      agents.setTerminals(agentId, answer.terminals);
    } catch {
      // Asleep or starting: there is nothing to list, and the event comes when there is.
    }
  };
  const create = async (): Promise<void> => {
    creating.value = true;
    try {
      const terminal = await api.call('createTerminal', { params: { sessionId } }, { signal: abort.signal });
      const others = agents.terminalsOf(agentId).filter((other) => other.name !== terminal.name);
      agents.setTerminals(agentId, [...others, terminal]);
      select(terminal.name);
    } catch (error) {
      onError('create', error);
    } finally {
      creating.value = false;
    }
  };
  const close = async (name: string): Promise<void> => {
    try {
      await api.call('closeTerminal', { params: { sessionId, name } }, { signal: abort.signal });
      agents.setTerminals(
        agentId,
        agents.terminalsOf(agentId).filter((other) => other.name !== name),
      );
    } catch (error) {
      onError('close', error);
    }
  };
  /** A shell that ended is not started again but replaced. */
  const replace = async (name: string): Promise<void> => {
    await create();
    await close(name);
  };

  return { terminals, selected, opened, creating, mayCreate, select, load, create, close, replace };
};
