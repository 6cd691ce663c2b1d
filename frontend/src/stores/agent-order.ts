import type { Agent, AgentState, Prompt } from '@sac/contracts';

export type AgentGroupName = 'waiting' | 'working' | 'recent';
export interface AgentGroup {
  readonly name: AgentGroupName;
  readonly agents: readonly Agent[];
}

/** At most this many settled prompts are kept per agent; open ones always. */
const keptSettledPrompts = 100;

const groupOf: Record<AgentState, AgentGroupName> = {
  waiting: 'waiting',
  working: 'working',
  starting: 'working',
  ready: 'recent',
  asleep: 'recent',
  stopping: 'recent',
  failed: 'recent',
};

const lastUse = (agent: Agent): string => agent.lastActiveAt ?? agent.createdAt;
/** Longest first, so that a row keeps its place while nothing happens to it. */
const bySince = (a: Agent, b: Agent): number =>
  a.status.since.localeCompare(b.status.since) || a.name.localeCompare(b.name);
const byLastUse = (a: Agent, b: Agent): number => lastUse(b).localeCompare(lastUse(a)) || a.name.localeCompare(b.name);

/** Waiting for you, working, recent; empty groups are left out. */
export const agentGroups = (agents: readonly Agent[]): readonly AgentGroup[] => {
  const of = (name: AgentGroupName) => agents.filter((agent) => groupOf[agent.status.state] === name);
  const all: readonly AgentGroup[] = [
    { name: 'waiting', agents: of('waiting').sort(bySince) },
    { name: 'working', agents: of('working').sort(bySince) },
    { name: 'recent', agents: of('recent').sort(byLastUse) },
  ];
  return all.filter((group) => group.agents.length > 0);
};

const isSettled = (prompt: Prompt): boolean => prompt.state === 'delivered' || prompt.state === 'cancelled';

/** Oldest first; the newer state of the same prompt replaces the older one, cancelled ones go. */
export const insertPrompt = (list: readonly Prompt[], prompt: Prompt): readonly Prompt[] => {
  const others = list.filter((other) => other.id !== prompt.id);
  if (prompt.state === 'cancelled') return others;
  const next = [...others, prompt].sort((a, b) => Number(BigInt(a.id) - BigInt(b.id)));
  const settled = next.filter(isSettled);
  const surplus = new Set(settled.slice(0, Math.max(0, settled.length - keptSettledPrompts)));
  return next.filter((entry) => !surplus.has(entry));
};
