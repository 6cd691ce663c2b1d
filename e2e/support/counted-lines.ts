import type { ApiUser } from './api.ts';
import { viewer, type OpenAgent } from './cluster-people.ts';
import type { Viewer } from './viewer.ts';

/** Every numbered line that came, checked as it comes, so that no text is kept. */
export class CountedLines {
  lines = 0;
  /** Times when a line was not the one behind the last. */
  wrong = 0;
  #rest = '';
  #last: number | null = null;

  readonly take = (text: string): void => {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const number = /<(\d+)>/.exec(line)?.[1];
      if (number === undefined) continue;
      if (this.#last !== null && Number(number) !== this.#last + 1) this.wrong += 1;
      this.#last = Number(number);
      this.lines += 1;
    }
  };
}

export interface Watcher {
  readonly viewer: Viewer;
  readonly counted: CountedLines;
}

/** A shell of the agent that writes numbered lines, 20 a second, and viewers who look at it. Resolves when all see lines. */
export const countingShell = async (user: ApiUser, agent: OpenAgent, viewers: number): Promise<Watcher[]> => {
  const { name } = await user.call('createTerminal', { params: { sessionId: agent.sessionId }, body: {} });
  const watchers: Watcher[] = [];
  for (let seat = 0; seat < viewers; seat += 1) {
    const counted = new CountedLines();
    watchers.push({ viewer: await viewer(user, agent, name, counted.take), counted });
  }
  watchers.at(-1)?.viewer.type('i=0; while sleep 0.05; do i=$((i+1)); echo "<$i>"; done\n');
  for (const { viewer: seat } of watchers) await seat.waitFor(/<20>/);
  return watchers;
};

export interface UnderChange {
  /** Fewest lines that one of them saw meanwhile. */
  readonly fewestLines: number;
  /** Viewers that missed or repeated a line, or were shown a screen in place of bytes. */
  readonly notExact: number;
  readonly reconnects: number;
  /** Longest pause of each, in milliseconds, shortest first. */
  readonly gapsMs: readonly number[];
}

/** What viewers see while `change` happens, and for three seconds behind it. */
export const watchThrough = async (
  watchers: readonly Watcher[],
  change: () => Promise<unknown>,
): Promise<UnderChange> => {
  for (const { viewer: seat } of watchers) seat.resetGaps();
  const before = watchers.map(({ viewer: seat, counted }) => ({ lines: counted.lines, reconnects: seat.reconnects }));
  await change();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const lines = watchers.map(({ counted }, index) => counted.lines - (before[index]?.lines ?? 0));
  const reconnects = watchers.map(({ viewer: seat }, index) => seat.reconnects - (before[index]?.reconnects ?? 0));
  return {
    fewestLines: Math.min(...lines),
    notExact: watchers.filter(({ viewer: seat, counted }) => counted.wrong > 0 || seat.snapshots > 0).length,
    reconnects: reconnects.reduce((sum, each) => sum + each, 0),
    gapsMs: watchers.map(({ viewer: seat }) => Math.round(seat.longestGapMs)).sort((left, right) => left - right),
  };
};
