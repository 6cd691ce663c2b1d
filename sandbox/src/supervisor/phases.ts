import type { StartPhase, StartPhaseName } from '@sac/contracts';

/** The phases of one start, in order, with their times. */
export class Phases {
  #list: StartPhase[];

  constructor(list: readonly StartPhase[]) {
    this.#list = [...list];
  }

  get list(): readonly StartPhase[] {
    return this.#list;
  }

  begin(name: StartPhaseName, detail: string | null = null): void {
    this.#change(name, (phase) => ({ ...phase, state: 'active', startedAt: new Date().toISOString(), detail }));
  }

  end(name: StartPhaseName): void {
    this.#change(name, (phase) => ({ ...phase, state: 'done', durationMs: elapsedMs(phase), progress: null }));
  }

  failActive(): void {
    this.#list = this.#list.map((phase) =>
      phase.state === 'active' ? { ...phase, state: 'failed', durationMs: elapsedMs(phase) } : phase,
    );
  }

  #change(name: StartPhaseName, change: (phase: StartPhase) => StartPhase): void {
    this.#list = this.#list.map((phase) => (phase.name === name ? change(phase) : phase));
  }
}

const elapsedMs = ({ startedAt }: StartPhase): number | null =>
  startedAt === null ? null : Date.now() - Date.parse(startedAt);
