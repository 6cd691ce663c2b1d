/**
 * Proves the chart, the runtime and an installation in a real cluster, from the images to the removal, and ends with the totals,
 * alone on the last line.
 *
 * node scripts/test-cluster.ts all|chart|runtime|installation [arguments for the runner]
 *
 * The cluster is that of KUBECONFIG. Without one, and with a kit that makes clusters (SAC_CLUSTER_KIT, or ../shared/cluster beside the
 * repository), the kit's is started. Images are built and loaded with the kit; for any other cluster they have to be where it can
 * pull them: SAC_TEST_REGISTRY=registry.example.org/sac SAC_TEST_TAG=1.2.3. SAC_TEST_VALUES_FILE names a file with values that this cluster needs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { findKit } from './cluster-kit.ts';
import { ensureBrowser } from './prerequisites.ts';
import { root, runAndReport, runTests } from './runners.ts';
import { noTests, type Totals } from './totals.ts';

const IMAGES = ['sac-agent', 'sac-api-gateway', 'sac-ws-proxy', 'sac-frontend'] as const;
const env: NodeJS.ProcessEnv = { ...process.env };

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
}

const run = (program: string, args: readonly string[], quiet = false): Ran => {
  const { status, stdout, error } = spawnSync(program, args, {
    cwd: root,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined && !quiet) throw new Error(`${program} did not run: ${error.message}`);
  return { status, stdout: stdout ?? '' };
};

const succeed = (program: string, ...args: readonly string[]): string => {
  const { status, stdout } = run(program, args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 200)} ended with ${String(status)}.`);
  return stdout;
};

/** Takes over what the kit says for a shell: `export KUBECONFIG=… PATH=…:$PATH`. */
const startKit = (kit: string): void => {
  for (const component of ['helm', 'minio']) succeed(join(kit, 'build'), component);
  const said = succeed(join(kit, 'up'));
  for (const [, name = '', value = ''] of said.matchAll(/\b(KUBECONFIG|PATH)=(\S+)/g)) {
    env[name] = value.replace('$PATH', env['PATH'] ?? '');
  }
};

const requireTools = (): void => {
  for (const [tool, args] of [
    ['helm', ['version', '--short']],
    ['kubectl', ['version', '--client']],
  ] as const) {
    if (run(tool, args, true).status !== 0) throw new Error(`There is no ${tool} on the PATH, and the tests need it.`);
  }
  if (run('kubectl', ['get', '--raw', '/readyz'], true).status !== 0) {
    throw new Error(`The cluster of KUBECONFIG=${env['KUBECONFIG'] ?? '(not set)'} does not answer.`);
  }
};

interface Images {
  readonly registry: string;
  readonly tag: string;
}

const buildImages = (kit: string): Images => {
  const version = readFileSync(join(root, '.version'), 'utf8').trim();
  // An image of the version's own name would be taken for a released one.
  const tag = `${version}-test`;
  for (const name of IMAGES) {
    const startedMs = performance.now();
    const dockerfile = `docker/${name.replace(/^sac-/, '')}/Dockerfile`;
    succeed(
      join(kit, 'build-image'),
      '--load',
      '-t',
      `${name}:${tag}`,
      '-f',
      dockerfile,
      '--build-arg',
      `VERSION=${version}`,
      '.',
    );
    process.stderr.write(`${name}: built and loaded in ${Math.round((performance.now() - startedMs) / 1000)} s\n`);
  }
  succeed(join(kit, 'build-image'), '--base', 'timescaledb', 'minio');
  for (const image of ['localhost/timescaledb:pg17', 'localhost/minio:1'])
    succeed(join(kit, 'load-image'), '--from-buildah', image);
  return { registry: '', tag };
};

const imagesFor = (kit: string | null): Images => {
  const { SAC_TEST_REGISTRY: registry, SAC_TEST_TAG: tag } = process.env;
  if (tag !== undefined && tag !== '') return { registry: registry ?? '', tag };
  if (kit === null) {
    throw new Error(
      'Say where the cluster finds the images: SAC_TEST_REGISTRY=registry.example.org/sac SAC_TEST_TAG=1.2.3',
    );
  }
  return buildImages(kit);
};

const nodeAddress = (): string =>
  succeed(
    'kubectl',
    'get',
    'nodes',
    '--output',
    'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
  ).trim();

/** Ports of nodes that the cluster does not give away first: the upper half of the usual range. */
const anyNodePort = (): number => 31_500 + Math.floor(Math.random() * 1_200);

const writeValues = (folder: string, kit: string | null, images: Images): { origin: string; files: string[] } => {
  const nodePort = anyNodePort();
  const origin = `http://${nodeAddress()}:${nodePort}`;
  const ofKit = kit !== null && images.registry === '';
  const values = {
    publicUrl: origin,
    trustedProxies: ['10.0.0.0/8'],
    image: { registry: images.registry, tag: images.tag },
    frontend: { service: { type: 'NodePort', nodePort } },
    trial: ofKit ? { postgresql: { image: 'localhost/timescaledb:pg17' }, minio: { image: 'localhost/minio:1' } } : {},
  };
  const file = join(folder, 'values.yaml');
  writeFileSync(file, stringify(values));
  const more = process.env['SAC_TEST_VALUES_FILE'] ?? '';
  return { origin, files: [join(root, 'helm/sac/values-trial.yaml'), file, ...(more === '' ? [] : [resolve(more)])] };
};

/** The name under which the nodes have an image. */
const imageRef = ({ registry, tag }: Images, name: string): string =>
  `${registry === '' ? '' : `${registry}/`}${name}:${tag}`;

const prepare = (folder: string): Totals => {
  const kit = findKit();
  if ((env['KUBECONFIG'] ?? '') === '' && kit !== null) startKit(kit);
  requireTools();
  ensureBrowser();
  const images = imagesFor(kit);
  const { origin, files } = writeValues(folder, kit, images);
  env['SAC_TEST_AGENT_IMAGE'] ??= imageRef(images, 'sac-agent');
  env['SAC_TEST_RELEASE'] ??= 'sac';
  env['SAC_TEST_NAMESPACE'] ??= 'sac-test';
  env['SAC_TEST_ORIGIN'] = origin;
  env['SAC_TEST_VALUES'] = files.join(':');
  return noTests;
};

const [what = 'all', ...args] = process.argv.slice(2);
const suites = {
  chart: () => runTests('vitest', { config: 'helm/tests/vitest.config.ts', env, args }),
  runtime: () => runTests('vitest', { config: 'backend/test/cluster.config.ts', env, args }),
  installation: () => runTests('playwright', { config: 'e2e/cluster.config.ts', env, args }),
} as const;
const isSuite = (name: string): name is keyof typeof suites => Object.hasOwn(suites, name);
if (what !== 'all' && !isSuite(what))
  throw new Error(`There is no suite ${what}: all, ${Object.keys(suites).join(', ')}.`);

const folder = mkdtempSync(join(tmpdir(), 'sac-test-cluster-'));
try {
  await runAndReport([() => prepare(folder), ...(what === 'all' ? Object.values(suites) : [suites[what]])]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
