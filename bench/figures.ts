import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** One published number with the bound it must keep and how it was obtained. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** At most one of the two; none where the figure is only stated. */
  readonly atMost?: number;
  readonly atLeast?: number;
  /** Decimals to print; default 0. */
  readonly digits?: number;
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
export function report(figures: readonly Figure[]): void {
  console.log(`\nMachine: ${describeMachine()}\n`);
  for (const { name, value, unit, atMost, atLeast, digits = 0, conditions } of figures) {
    const kept = value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
    if (!kept) process.exitCode = 1;
    console.log(
      `${kept ? 'ok  ' : 'MISS'} ${name}: ${value.toFixed(digits)} ${unit} (${boundOf(atMost, atLeast)})\n       ${conditions}`,
    );
  }
}

const boundOf = (atMost: number | undefined, atLeast: number | undefined): string => {
  if (atMost !== undefined) return `at most ${atMost}`;
  return atLeast === undefined ? 'stated' : `at least ${atLeast}`;
};

/** What the figures were taken on. */
function describeMachine(): string {
  const model = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown CPU';
  const gibibytes = (totalmem() / 2 ** 30).toFixed(0);
  return `${cpus().length} × ${model}, ${gibibytes} GiB, Linux ${release()}, Node ${process.version}`;
}
