import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const chartDir = resolve(import.meta.dirname, '../sac');
export const casesDir = join(import.meta.dirname, 'cases');
const version = readFileSync(resolve(import.meta.dirname, '../../.version'), 'utf8').trim();
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Any Kubernetes object, as far as tests look into it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly rules?: readonly Rule[];
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** @throws when there is no helm on the PATH */
export const requireHelm = (): void => {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  if (folders.some((folder) => folder !== '' && existsSync(join(folder, 'helm')))) return;
  throw new Error('There is no helm on the PATH. Install Helm 3 (https://helm.sh/docs/intro/install) and try again.');
};

interface Output {
  readonly failed: boolean;
  readonly text: string;
}

const helm = (args: readonly string[]): Promise<Output> =>
  new Promise((done) => {
    execFile('helm', args, { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      done({ failed: error !== null, text: error === null ? stdout : stdout + stderr });
    });
  });

/** What the API server offers where operators and gateways are installed; plain rendering knows of no cluster. */
const place = ['--kube-version', '1.34.0'];

export const renderText = (values: readonly string[], namespace = 'sac'): Promise<Output> =>
  helm([
    'template',
    'sac',
    chartDir,
    '--namespace',
    namespace,
    ...place,
    ...values.flatMap((file) => ['--values', file]),
  ]);

export const lint = (values: readonly string[]): Promise<Output> =>
  helm(['lint', '--strict', chartDir, '--kube-version', '1.34.0', ...values.flatMap((file) => ['--values', file])]);

/** @throws with Helm's words when the chart does not render */
export const render = async (values: readonly string[]): Promise<KubernetesObject[]> => {
  const { failed, text } = await renderText(values);
  if (failed) throw new Error(text);
  return parseAllDocuments(text).flatMap((document) => {
    const object = document.toJS() as KubernetesObject | null;
    return object === null ? [] : [object];
  });
};

/** A new version is no change of the chart. */
export const withoutVersion = (text: string): string => text.replaceAll(version, 'VERSION');
