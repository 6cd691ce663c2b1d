import { watch, type Ref } from 'vue';
import { useAgentsStore } from '../stores/agents.ts';
import type { TerminalStatus } from './status.ts';

const awake = new Set(['ready', 'working', 'waiting']);

/** `ended`, `asleep` and `gone` are final for a connection, but not when the sandbox is there again. */
export const useReconnectWithAgent = (options: {
  readonly agentId: string;
  readonly terminal: string;
  readonly status: Readonly<Ref<TerminalStatus>>;
  readonly reconnect: () => void;
}): void => {
  const agents = useAgentsStore();
  const sandbox = (): string | null => {
    const agent = agents.byId(options.agentId);
    if (!agent || !awake.has(agent.status.state)) return null;
    const terminal = agents.terminalsOf(options.agentId).find((candidate) => candidate.name === options.terminal);
    return `${agent.generation}/${terminal?.running ?? 'unknown'}`;
  };
  watch(sandbox, (now) => {
    const { phase } = options.status.value;
    if (now !== null && !now.endsWith('/false') && (phase === 'ended' || phase === 'refused')) options.reconnect();
  });
};
