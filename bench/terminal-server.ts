/**
 * What the terminal server costs and keeps: CPU of a flood with the screen model, memory, viewers that never read,
 * cuts and resumes over recorded output, ws-proxy killed, floods in both directions. Prints each figure with its
 * bound and conditions; exits 1 when a bound is broken.
 *
 * SAC_BENCH_QUICK=1: shorter, to see that it works; the figures then mean little.
 * SAC_BENCH_ONLY=cost,memory,stalled,resume,proxy-killed,flood,yes: some parts only. SAC_TEST_SEED repeats a run.
 */
import { report, type Figure } from './figures.ts';
import { costFigures, floodFigures, memoryFigures, yesFigures } from './terminal-server/load-figures.ts';
import { proxyKilledFigures } from './terminal-server/proxy-killed-figures.ts';
import { resumeFigures } from './terminal-server/resume-figures.ts';
import { settings } from './terminal-server/settings.ts';
import { stalledViewerFigures } from './terminal-server/stalled-viewer.ts';

const parts: Record<string, () => Promise<Figure[]>> = {
  memory: memoryFigures,
  cost: costFigures,
  stalled: stalledViewerFigures,
  resume: resumeFigures,
  'proxy-killed': proxyKilledFigures,
  flood: floodFigures,
  yes: yesFigures,
};
const figures: Figure[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (settings.only !== null && !settings.only.includes(name)) continue;
  console.log(`measuring ${name} …`);
  figures.push(...(await measure()));
}
report(figures);
