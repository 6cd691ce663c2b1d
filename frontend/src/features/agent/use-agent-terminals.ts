import { limits, type Agent, type Session, type Terminal } from '@sac/contracts';
import { computed, ref, watch, type ComputedRef, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { api } from '../../api/client.ts';
import { useToast } from '../../lib/use-toast.ts';
import { useAgentsStore } from '../../stores/agents.ts';
import { useWatchOnly } from '../../terminal/watch-only.ts';
import { isRunning } from './phase-model.ts';

export const MAIN_TERMINAL = 'main';

/** False for shells, also where the agent itself is one: pasted lines run at once there. */
export const runsCli = (agent: Pick<Agent, 'cli'>, terminal: string): boolean =>
  terminal === MAIN_TERMINAL && agent.cli !== 'shell';

export interface AgentTerminals {
  readonly tabs: ComputedRef<readonly Terminal[]>;
  readonly active: Ref<string>;
  /** Tabs that were shown once; they stay mounted, so that switching costs nothing. */
  readonly mounted: ComputedRef<readonly Terminal[]>;
  readonly adding: Ref<boolean>;
  readonly mayAdd: ComputedRef<boolean>;
  readonly add: () => Promise<void>;
  readonly close: (name: string) => Promise<void>;
}

/** Terminals of the sandbox as tabs: `main` always, shells as they come and go. */
export const useAgentTerminals = (agent: () => Agent, session: () => Session | null): AgentTerminals => {
  const { t } = useI18n();
  const toast = useToast();
  const agents = useAgentsStore();
  const watchOnly = useWatchOnly(agent().id);
  const active = ref(MAIN_TERMINAL);
  const visited = ref<ReadonlySet<string>>(new Set([MAIN_TERMINAL]));
  const adding = ref(false);
  const running = computed(() => isRunning(agent()));

  /** `main` belongs to every sandbox and needs no list to be known. */
  const main: Terminal = { name: MAIN_TERMINAL, title: '', running: true, viewers: 0, exit: null };
  const tabs = computed<readonly Terminal[]>(() => {
    const known = running.value ? agents.terminalsOf(agent().id) : [];
    return known.some(({ name }) => name === MAIN_TERMINAL) ? known : [main, ...known];
  });
  const mayAdd = computed(() => running.value && session() !== null && tabs.value.length < limits.terminalsPerSandbox);
  const mounted = computed(() => tabs.value.filter(({ name }) => visited.value.has(name)));

  watch(active, (name) => {
    visited.value = new Set([...visited.value, name]);
  });
  watch(tabs, (now) => {
    if (!now.some(({ name }) => name === active.value)) active.value = MAIN_TERMINAL;
  });
  watch(
    [() => (running.value ? session()?.id : undefined), () => agents.resyncs] as const,
    async ([sessionId]) => {
      if (sessionId === undefined) return;
      try {
        const { terminals } = await api.call('listTerminals', { params: { sessionId } });
        agents.setTerminals(agent().id, terminals);
      } catch {
        // `main` is there without the list; events bring the shells.
      }
    },
    { immediate: true },
  );

  const add = async (): Promise<void> => {
    const sessionId = session()?.id;
    if (sessionId === undefined || adding.value) return;
    adding.value = true;
    try {
      const terminal = await api.call('createTerminal', { params: { sessionId } });
      const others = agents.terminalsOf(agent().id).filter(({ name }) => name !== terminal.name);
      agents.setTerminals(agent().id, [...others, terminal]);
      // Its name may have been that of another one.
      watchOnly.set(terminal.name, false);
      active.value = terminal.name;
    } catch (error) {
      toast.failed(t('agent.shellFailed'), error);
    } finally {
      adding.value = false;
    }
  };
  const close = async (name: string): Promise<void> => {
    const sessionId = session()?.id;
    if (sessionId === undefined || name === MAIN_TERMINAL) return;
    try {
      await api.call('closeTerminal', { params: { sessionId, name } });
      agents.setTerminals(
        agent().id,
        agents.terminalsOf(agent().id).filter((terminal) => terminal.name !== name),
      );
      visited.value = new Set([...visited.value].filter((other) => other !== name));
    } catch (error) {
      toast.failed(t('agent.shellNotClosed'), error);
    }
  };
  return { tabs, active, mounted, adding, mayAdd, add, close };
};
