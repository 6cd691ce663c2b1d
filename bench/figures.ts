/** One published number with the bound it must keep and how it was obtained. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost: number;
  readonly conditions: string;
}

/** Nearest-rank percentile; `values` must not be empty. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('percentile of nothing');
  return value;
}

/** Prints the table; sets the exit code when a bound is broken. */
export function report(figures: readonly Figure[], machine: string): void {
  console.log(`\nMachine: ${machine}\n`);
  for (const { name, value, unit, atMost, conditions } of figures) {
    const kept = value <= atMost;
    if (!kept) process.exitCode = 1;
    console.log(
      `${kept ? 'ok  ' : 'OVER'} ${name}: ${value.toFixed(0)} ${unit} (at most ${atMost})\n       ${conditions}`,
    );
  }
}
