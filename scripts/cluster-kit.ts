import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { imageSizeBytes } from './image-size.ts';
import { root } from './runners.ts';

/** The folder of a kit that makes a cluster on this machine; null where there is none. */
export const findKit = (): string | null => {
  const places = [process.env['SAC_CLUSTER_KIT'] ?? '', resolve(root, '../shared/cluster')];
  return places.find((place) => place !== '' && existsSync(join(place, 'build-image'))) ?? null;
};

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

export interface BuiltImage {
  readonly name: string;
  readonly buildMs: number;
  /** Unpacked; null where the builder does not say. */
  readonly sizeBytes: number | null;
}

interface Images {
  readonly registry: string;
  readonly tag: string;
  /** What was built now. */
  readonly built: readonly BuiltImage[];
}

const buildImages = (kit: string): Images => {
  const version = readFileSync(join(root, '.version'), 'utf8').trim();
  // An image of the version's own name would be taken for a released one.
  const tag = `${version}-test`;
  const built: BuiltImage[] = [];
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
    const buildMs = performance.now() - startedMs;
    const sizeBytes = imageSizeBytes(run('buildah', ['images', '--json'], true).stdout, `${name}:${tag}`);
    built.push({ name, buildMs, sizeBytes });
    process.stderr.write(`${name}: built and loaded in ${Math.round(buildMs / 1000)} s\n`);
  }
  succeed(join(kit, 'build-image'), '--base', 'timescaledb', 'minio');
  for (const image of ['localhost/timescaledb:pg17', 'localhost/minio:1'])
    succeed(join(kit, 'load-image'), '--from-buildah', image);
  return { registry: '', tag, built };
};

const imagesFor = (kit: string | null): Images => {
  const { SAC_TEST_REGISTRY: registry, SAC_TEST_TAG: tag } = process.env;
  if (tag !== undefined && tag !== '') return { registry: registry ?? '', tag, built: [] };
  if (kit === null) {
    throw new Error(
      'Say where the cluster finds the images: SAC_TEST_REGISTRY=registry.example.org/sac SAC_TEST_TAG=1.2.3',
    );
  }
  return buildImages(kit);
};

/** Of any node: each one has the port. A fake one may have no address at all. */
const nodeAddress = (): string => {
  const path = 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}';
  const found = succeed('kubectl', 'get', 'nodes', '--selector', '!sac.dev/fake-node', '--output', path);
  const [first] = found.trim().split(/\s+/);
  if (first === undefined || first === '') throw new Error('No node of the cluster has an InternalIP.');
  return first;
};

/** Ports of nodes that the cluster does not give away first: the upper half of the usual range. */
const anyNodePort = (): number => 31_500 + Math.floor(Math.random() * 1_200);

/** `host:port` that stand for the internet and for a proxy. With a kit the tests listen there themselves: it has no internet. */
const setOutside = (kit: string | null): void => {
  env['SAC_TEST_OUTSIDE'] ??= kit === null ? '1.1.1.1:443' : '192.0.2.1:443';
  env['SAC_TEST_PROXY'] ??= kit === null ? '1.0.0.1:443' : '192.0.2.2:3128';
};

const proxyEndpoint = (): { cidr: string; ports: number[] } => {
  const [host = '', port = ''] = (env['SAC_TEST_PROXY'] ?? '').split(':');
  return { cidr: `${host}/32`, ports: [Number(port)] };
};

const writeValues = (folder: string, kit: string | null, images: Images): { origin: string; files: string[] } => {
  const nodePort = anyNodePort();
  const origin = `http://${nodeAddress()}:${nodePort}`;
  const ofKit = kit !== null && images.registry === '';
  const values = {
    publicUrl: origin,
    trustedProxies: ['10.0.0.0/8'],
    image: { registry: images.registry, tag: images.tag },
    frontend: { service: { type: 'NodePort', nodePort } },
    agents: { egress: { proxies: [proxyEndpoint()] } },
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

export interface TestCluster {
  /** Variables of what runs in it: KUBECONFIG, PATH with its tools, and SAC_TEST_… of e2e/support/cluster.ts. */
  readonly env: NodeJS.ProcessEnv;
  readonly images: readonly BuiltImage[];
  /** To be called in the end. */
  readonly end: () => void;
}

export interface ClusterChoice {
  /** Of the installation. */
  readonly namespace?: string;
  /** The kit's cluster, whatever KUBECONFIG names; ended when the tests have, unless it ran before. */
  readonly ownCluster?: boolean;
}

/**
 * Starts the cluster where there is none, builds the images and writes the values of an installation into `folder`.
 * @throws Error that says what is missing
 */
export const prepareCluster = (
  folder: string,
  { namespace = 'sac-test', ownCluster = false }: ClusterChoice = {},
): TestCluster => {
  const kit = findKit();
  const ranBefore = existsSync(join(process.env['SAC_CLUSTER_STATE'] ?? '/var/lib/sac-cluster', 'kubeconfig'));
  if (kit !== null && (ownCluster || (env['KUBECONFIG'] ?? '') === '')) startKit(kit);
  requireTools();
  const images = imagesFor(kit);
  setOutside(kit);
  const { origin, files } = writeValues(folder, kit, images);
  env['SAC_TEST_AGENT_IMAGE'] ??= imageRef(images, 'sac-agent');
  env['SAC_TEST_RELEASE'] ??= 'sac';
  env['SAC_TEST_NAMESPACE'] ??= namespace;
  env['SAC_TEST_ORIGIN'] = origin;
  env['SAC_TEST_VALUES'] = files.join(':');
  const end = (): void => {
    if (kit !== null && ownCluster && !ranBefore) run(join(kit, 'down'), ['--keep-images']);
  };
  return { env, images: images.built, end };
};
