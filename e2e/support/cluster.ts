import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const repositoryDir = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND_TIMEOUT_MS = 10 * 60_000;
const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;

const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined || value === '')
    throw new Error(`${name} is missing. Run these tests with: make test-cluster`);
  return value;
};

/** The release under test, as scripts/test-cluster.ts chose it. */
export const cluster = {
  get release(): string {
    return setting('SAC_TEST_RELEASE');
  },
  get namespace(): string {
    return setting('SAC_TEST_NAMESPACE');
  },
  /** Of agents; one shard. */
  get agents(): string {
    return `${setting('SAC_TEST_NAMESPACE')}-agents-0`;
  },
  /** Where people open the site. */
  get origin(): string {
    return setting('SAC_TEST_ORIGIN');
  },
  /** Values files of the installation. */
  get values(): readonly string[] {
    return setting('SAC_TEST_VALUES').split(':');
  },
  get demoModel(): string {
    return `http://${cluster.release}-demo-model.${cluster.namespace}.svc.cluster.local:8090`;
  },
};

export const chart = `${repositoryDir}helm/sac`;

export interface Outcome {
  readonly ok: boolean;
  readonly text: string;
}

/** Runs a program to its end; never throws for its failure. */
export const attempt = (program: string, args: readonly string[], input = ''): Promise<Outcome> =>
  new Promise((resolve) => {
    const limits = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, cwd: repositoryDir };
    const child = execFile(program, args, limits, (error, stdout, stderr) => {
      resolve({ ok: error === null, text: error === null ? stdout : `${stdout}${stderr}` });
    });
    child.stdin?.on('error', () => undefined); // a program that does not read it
    child.stdin?.end(input);
  });

/** @throws with what the program wrote */
export const run = async (program: string, args: readonly string[], input = ''): Promise<string> => {
  const { ok, text } = await attempt(program, args, input);
  if (!ok) throw new Error(`${program} ${args.join(' ').slice(0, 300)} failed:\n${text.slice(-4000)}`);
  return text;
};

export const kubectl = (...args: string[]): Promise<string> => run('kubectl', args);
export const kubectlHere = (...args: string[]): Promise<string> =>
  run('kubectl', ['--namespace', cluster.namespace, ...args]);
export const kubectlAgents = (...args: string[]): Promise<string> =>
  run('kubectl', ['--namespace', cluster.agents, ...args]);

const valuesArgs = (): string[] => cluster.values.flatMap((file) => ['--values', file]);

export const helm = (command: readonly string[], ...more: string[]): Promise<string> =>
  run('helm', [...command, cluster.release, ...more, '--namespace', cluster.namespace]);

/** Installs, or upgrades with `more` settings (`--set a=b`), and waits until all pods are ready. */
export const install = (...more: string[]): Promise<string> =>
  helm(['upgrade', '--install'], chart, '--create-namespace', '--wait', '--timeout', '8m', ...valuesArgs(), ...more);

/** An upgrade that gives each part of the release a new pod. */
export const replaceEveryPod = (): Promise<string> =>
  install(
    ...['apiGateway', 'wsProxy', 'frontend'].flatMap((part) => [
      '--set-string',
      `${part}.podAnnotations.upgraded=${Date.now()}`,
    ]),
  );

export const renderedChart = (): Promise<string> => helm(['template'], chart, '--validate', ...valuesArgs());

/** Kinds of operators and gateways: only a cluster that has these knows them. */
const FOREIGN_KIND = /^kind: (HTTPRoute|PodMonitor|PrometheusRule)$/m;

/** What the chart makes of values that a test of the chart renders, as far as every cluster knows its kinds, in namespaces that are there. */
export const renderedCase = async (name: string): Promise<string> => {
  const values = `${repositoryDir}helm/tests/cases/${name}.yaml`;
  // Of a release that is not there: what exists may not be changed in every way.
  const place = ['--namespace', cluster.namespace, '--kube-version', '1.34.0', '--values', values];
  const text = await run('helm', ['template', 'rendered', chart, ...place]);
  return text
    .split(/^---$/m)
    .filter((object) => !FOREIGN_KIND.test(object))
    .map((object) => object.replace(/^( {2}namespace: ).*-\d+$/m, `$1${cluster.agents}`))
    .join('---');
};

/** Names of the pods of a component of the release. */
export const podsOf = async (component: string): Promise<string[]> =>
  (await kubectlHere('get', 'pods', '--selector', `app.kubernetes.io/component=${component}`, '--output', 'name'))
    .split('\n')
    .filter((name) => name !== '');

/** A link that makes an admin, from a pod of api-gateway. */
export const adminLink = async (): Promise<string> => {
  const deployment = `deployment/${cluster.release}-api-gateway`;
  const out = await kubectlHere(
    'exec',
    deployment,
    '-c',
    'api-gateway',
    '--',
    'node',
    '/opt/sac/backend/admin-link.js',
  );
  return out.trim();
};

/** Waits until `what` is true; what it throws meanwhile does not count. */
export const eventually = async (
  what: string,
  check: () => Promise<boolean>,
  timeoutMs = 60_000,
  everyMs = 250,
): Promise<void> => {
  const deadlineMs = performance.now() + timeoutMs;
  const tried = (): Promise<string | null> =>
    check().then(
      (done) => (done ? null : 'not yet'),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  for (let problem = await tried(); problem !== null; problem = await tried()) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${timeoutMs / 1000} s: ${what} (${problem})`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
};
