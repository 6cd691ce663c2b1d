/** One piece of work at a time for one agent, whichever queue it comes from. */
export interface Turns {
  /** Null when another piece of work for the agent is under way; `onMissed` is told when that has ended. */
  take<T>(agentId: string, work: () => Promise<T>): Promise<T | null>;
}

export const createTurns = (onMissed: (agentId: string) => void): Turns => {
  const taken = new Set<string>();
  const missed = new Set<string>();
  return {
    take: async (agentId, work) => {
      if (taken.has(agentId)) {
        missed.add(agentId);
        return null;
      }
      taken.add(agentId);
      try {
        return await work();
      } finally {
        taken.delete(agentId);
        if (missed.delete(agentId)) onMissed(agentId);
      }
    },
  };
};
