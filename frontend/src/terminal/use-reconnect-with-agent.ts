import { onScopeDispose, watch, type Ref } from 'vue';
import { useAgentsStore } from '../stores/agents.ts';
import type { TerminalStatus } from './status.ts';

const awake = new Set(['ready', 'working', 'waiting']);
/** News of an end travel another way than the end itself: "running" may still be the old word. */
const FIRST_LOOK_MS = 1_500;
const LONGEST_LOOK_MS = 30_000;
const SETTLED_MS = 30_000;

/**
 * `ended`, `asleep` and `gone` are final for a connection, but not when the sandbox is there again or has started
 * the program anew, as it does with the CLI in `main`.
 */
export const useReconnectWithAgent = (options: {
  readonly agentId: string;
  readonly terminal: string;
  readonly status: Readonly<Ref<TerminalStatus>>;
  readonly reconnect: () => void;
}): void => {
  const agents = useAgentsStore();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let delayMs = FIRST_LOOK_MS;
  let endedAt = 0;

  const isOver = (): boolean => ['ended', 'refused'].includes(options.status.value.phase);
  /** Changes when there is something new to connect to; null while there is nothing. */
  const sandbox = (): string | null => {
    const agent = agents.byId(options.agentId);
    const terminal = agents.terminalsOf(options.agentId).find((candidate) => candidate.name === options.terminal);
    return agent && awake.has(agent.status.state) && terminal?.running ? `generation ${agent.generation}` : null;
  };
  const clear = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };

  watch(sandbox, (now) => {
    if (now !== null && isOver()) options.reconnect();
  });
  watch(
    () => options.status.value.phase,
    (phase) => {
      clear();
      if (phase !== 'ended') return;
      if (Date.now() - endedAt > SETTLED_MS + delayMs) delayMs = FIRST_LOOK_MS;
      endedAt = Date.now();
      timer = setTimeout(() => {
        delayMs = Math.min(2 * delayMs, LONGEST_LOOK_MS);
        if (sandbox() !== null) options.reconnect();
      }, delayMs);
    },
  );
  onScopeDispose(clear);
};
