import { reconnectDelayMs } from '@sac/contracts';
import { onScopeDispose, watch, type Ref } from 'vue';
import { useAgentsStore } from '../stores/agents.ts';
import type { TerminalStatus } from './status.ts';

const awake = new Set(['ready', 'working', 'waiting']);
/** News of an end travel another way than the end itself: "running" may still be the old word. */
const FIRST_LOOK_MS = 1_500;
const LONGEST_LOOK_MS = 30_000;
const SETTLED_MS = 30_000;
/** The server has not seen yet that the sandbox runs, or the page not yet that it does not. */
const NOT_READY_DELAY_MS = 500;

/**
 * `ended`, `asleep`, `not_ready` and `gone` are final for a connection, but not when the sandbox is there again or has
 * started the program anew, as it does with the CLI in `main`.
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
  let notReady = 0;

  const isOver = (): boolean => ['ended', 'refused'].includes(options.status.value.phase);
  const isNotReady = (): boolean => options.status.value.refusal?.code === 'not_ready';
  /** Changes when there is something new to connect to; null while there is nothing. */
  const sandbox = (): string | null => {
    const agent = agents.byId(options.agentId);
    const terminal = agents.terminalsOf(options.agentId).find((candidate) => candidate.name === options.terminal);
    return agent && awake.has(agent.status.state) && terminal?.running ? `generation ${agent.generation}` : null;
  };
  /** The same before its program is ready. */
  const reachable = (): number | null => {
    const agent = agents.byId(options.agentId);
    return agent?.status.reachable === true ? agent.generation : null;
  };
  const clear = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  const lookAgain = (): void => {
    if (Date.now() - endedAt > SETTLED_MS + delayMs) delayMs = FIRST_LOOK_MS;
    endedAt = Date.now();
    timer = setTimeout(() => {
      delayMs = Math.min(2 * delayMs, LONGEST_LOOK_MS);
      if (sandbox() !== null) options.reconnect();
    }, delayMs);
  };
  /** Only where the page believes that there is something; else the event that says so starts the next attempt. */
  const askAgain = (): void => {
    if (reachable() === null) return;
    notReady += 1;
    timer = setTimeout(
      () => {
        if (reachable() !== null) options.reconnect();
      },
      Math.max(NOT_READY_DELAY_MS, reconnectDelayMs(notReady, Math.random())),
    );
  };

  watch(sandbox, (now) => {
    if (now !== null && isOver()) options.reconnect();
  });
  watch(reachable, (now) => {
    notReady = 0;
    if (now !== null && isNotReady()) options.reconnect();
  });
  watch([() => options.status.value.phase, () => options.status.value.refusal] as const, ([phase]) => {
    clear();
    if (phase === 'live') notReady = 0;
    if (phase === 'ended') lookAgain();
    if (isNotReady()) askAgain();
  });
  onScopeDispose(clear);
};
