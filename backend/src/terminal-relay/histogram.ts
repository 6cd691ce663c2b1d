/** Upper bounds in seconds. */
const BOUNDS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;

/** Counts of values up to each bound, as Prometheus wants them. */
export class Histogram {
  readonly #counts = new Array<number>(BOUNDS_SECONDS.length).fill(0);
  #count = 0;
  #sumSeconds = 0;

  observe(seconds: number): void {
    this.#count += 1;
    this.#sumSeconds += seconds;
    const index = BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
    if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Lines without HELP and TYPE. */
  lines(name: string): string[] {
    let below = 0;
    const buckets = BOUNDS_SECONDS.map((bound, index) => {
      below += this.#counts[index] ?? 0;
      return `${name}_bucket{le="${bound}"} ${below}`;
    });
    return [
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sumSeconds}`,
      `${name}_count ${this.#count}`,
    ];
  }
}
