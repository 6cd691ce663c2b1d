/**
 * Measures an installation in a real cluster: `make bench-cluster`, or `make bench-cluster ARGS='start upgrade'` for some parts. The
 * cluster is found, and images get there, as `make test-cluster` says.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareCluster } from '../scripts/cluster-kit.ts';
import { attempt, cluster, helm, install, kubectl } from '../e2e/support/cluster.ts';
import { killedFigures } from './cluster/killed-figures.ts';
import { manyFigures } from './cluster/many-figures.ts';
import { startFigures } from './cluster/start-figures.ts';
import { upgradeFigures } from './cluster/upgrade-figures.ts';
import { report, type Figure } from './figures.ts';

const STARTS = Number(process.env['SAC_BENCH_STARTS'] ?? 20);

const parts: Readonly<Record<string, (image: string) => Promise<Figure[]>>> = {
  start: (image) => startFigures(image, STARTS),
  upgrade: upgradeFigures,
  killed: killedFigures,
  many: manyFigures,
};

const removeAll = async (): Promise<void> => {
  await attempt('helm', ['uninstall', cluster.release, '--namespace', cluster.namespace, '--wait', '--timeout', '5m']);
  await kubectl('delete', 'namespace', cluster.agents, cluster.namespace, '--ignore-not-found', '--timeout=180s');
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => parts[name] === undefined);
if (unknown.length > 0)
  throw new Error(`no measurement ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'sac-bench-cluster-'));
try {
  const { env, images } = prepareCluster(folder, { namespace: 'sac-bench' });
  Object.assign(process.env, env);
  report(
    images.flatMap(({ name, buildMs, sizeBytes }) => [
      {
        name: `${name} built and loaded`,
        value: buildMs / 1_000,
        unit: 's',
        conditions: 'with what the builder still has of earlier builds',
      },
      ...(sizeBytes === null
        ? []
        : [
            {
              name: `${name} size`,
              value: sizeBytes / 1e6,
              unit: 'MB',
              conditions: 'unpacked, with its base image; 1 MB is 1,000,000 bytes',
            },
          ]),
    ]),
  );
  await install();
  await helm(['test'], '--timeout', '3m');
  for (const name of wanted.length === 0 ? Object.keys(parts) : wanted) {
    console.log(`\n== ${name}`);
    report((await parts[name]?.(env['SAC_TEST_AGENT_IMAGE'] ?? '')) ?? []);
  }
} finally {
  await removeAll();
  rmSync(folder, { recursive: true, force: true });
}
