/**
 * What the terminal path through ws-proxy costs, beside a plain `ws` frame relay and stock ttyd (where it is installed)
 * in the same run. Prints each figure with its bound and conditions; exits 1 when a bound is broken.
 *
 * SAC_BENCH_QUICK=1: shorter and with fewer repetitions, to see that it works; the figures then mean little.
 * SAC_BENCH_RUNS=5: repetitions of each measurement.
 * SAC_BENCH_ONLY=transfer,echo,capacity,stalled: some parts only.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report, type Figure } from './figures.ts';
import { capacityFigures } from './terminal/capacity-figures.ts';
import { echoFigures } from './terminal/echo-figures.ts';
import { patternAt, PATTERN_BYTES } from './terminal/pattern.ts';
import { ttydVersion } from './terminal/parts.ts';
import { settings } from './terminal/settings.ts';
import { stalledFigures } from './terminal/stalled-figures.ts';
import { transferFigures } from './terminal/transfer-figures.ts';

const makeFile = (directory: string): string => {
  const path = join(directory, 'output');
  const whole = Buffer.alloc(settings.transferBytes);
  for (let at = 0; at < whole.length; at += PATTERN_BYTES)
    patternAt(at, Math.min(PATTERN_BYTES, whole.length - at)).copy(whole, at);
  writeFileSync(path, whole);
  return path;
};

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;
if (!hasTaskset) throw new Error('taskset is missing (Debian: util-linux): processes could not be kept on their cores');
const ttyd = ttydVersion();
console.log(ttyd === null ? 'ttyd is not installed: no figures of ttyd.' : `ttyd ${ttyd}`);

const directory = mkdtempSync(join(tmpdir(), 'sac-bench-'));
const parts: Record<string, () => Promise<Figure[]>> = {
  transfer: () => transferFigures({ file: makeFile(directory), hasTtyd: ttyd !== null }),
  echo: () => echoFigures({ hasTtyd: ttyd !== null }),
  capacity: capacityFigures,
  stalled: stalledFigures,
};
try {
  const figures: Figure[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (settings.only !== null && !settings.only.includes(name)) continue;
    console.log(`measuring ${name} …`);
    figures.push(...(await measure()));
  }
  report(figures);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
