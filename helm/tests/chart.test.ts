import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { beforeAll, describe, expect, test } from 'vitest';
import { casesDir, chartDir, type KubernetesObject, render, requireHelm, type Rule } from './helm.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
let everything: KubernetesObject[];
let trial: KubernetesObject[];

beforeAll(async () => {
  requireHelm();
  everything = await render([join(casesDir, 'everything.yaml')]);
  trial = await render([join(chartDir, 'values-trial.yaml')]);
});

test('the chart has the version of the repository', () => {
  const version = read('.version').trim();
  expect(parse(read('helm/sac/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

/** `account where resource: verbs`, as docs/cluster-accounts.md and as Roles say it; named tells of a right to named objects alone. */
const grant = (who: string, resource: string, named: boolean, verbs: readonly string[]): string =>
  `${who} ${resource}${named ? ' (named)' : ''}: ${[...verbs].sort().join(' ')}`;

const grantsOfRole = (role: KubernetesObject): string[] => {
  const account = role.metadata.name.replace(/^sac-/, '');
  const where = role.metadata.namespace === 'sac' ? 'release' : 'agents';
  const ofRule = ({ apiGroups, resources, resourceNames, verbs }: Rule): string[] =>
    apiGroups.flatMap((group) =>
      resources.map((resource) => {
        const [kind = '', sub] = resource.split('/');
        const name = `${kind}${group === '' ? '' : `.${group}`}${sub === undefined ? '' : `/${sub}`}`;
        return grant(`${account} ${where}`, name, resourceNames !== undefined, verbs);
      }),
    );
  return (role.rules ?? []).flatMap(ofRule);
};

test('docs/cluster-accounts.md lists the rights of all Roles, and no others', () => {
  const listed = read('docs/cluster-accounts.md')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, , where]) => where === 'agents' || where === 'release')
    .flatMap(([, account, where, resources = '', verbs = '']) => {
      const named = resources.includes('(');
      const names = resources.replace(/\(.*\)/, '').split(',');
      return names.map((name) => grant(`${account ?? ''} ${where ?? ''}`, name.trim(), named, verbs.split(', ')));
    });
  const granted = trial.filter(({ kind }) => kind === 'Role').flatMap(grantsOfRole);
  expect(granted.length).toBeGreaterThan(10);
  expect(listed.sort()).toEqual(granted.sort());
  expect(everything.filter(({ kind }) => kind.startsWith('Cluster'))).toEqual([]);
});

interface PodSpec {
  readonly enableServiceLinks?: boolean;
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly seccompProfile?: { readonly type?: string } };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
}
interface Container {
  readonly name: string;
  readonly startupProbe?: { readonly periodSeconds: number; readonly failureThreshold: number };
  readonly resources?: { readonly limits?: { readonly memory?: unknown } };
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[] };
  };
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

test('a pod of api-gateway may wait for its database and read the cluster before its start counts as failed', async () => {
  const waiting = await render([join(casesDir, 'no-policies.yaml')]);
  for (const objects of [everything, trial, waiting]) {
    const { startupProbe, env = [] } = objects
      .flatMap((each) => podOf(each)?.containers ?? [])
      .find(({ name }) => name === 'api-gateway')!;
    const waitSeconds = Number(env.find(({ name }) => name === 'SAC_DATABASE_WAIT_SECONDS')?.value);
    expect(waitSeconds).toBe(objects === waiting ? 300 : 60);
    // START_DEADLINE_MS of the runtime comes after the wait.
    expect(startupProbe!.periodSeconds * startupProbe!.failureThreshold).toBeGreaterThan(waitSeconds + 60);
  }
});

const podOf = ({ kind, spec }: KubernetesObject): PodSpec | null => {
  if (kind === 'Pod') return spec as PodSpec;
  const template = (spec as { template?: { spec: PodSpec } } | undefined)?.template;
  return template?.spec ?? null;
};

test('every pod passes Pod Security "restricted", writes no root, and holds no secret in its settings', () => {
  const pods = [...everything, ...trial].flatMap((object) => {
    const pod = podOf(object);
    return pod === null ? [] : [{ name: object.metadata.name, pod }];
  });
  expect(pods.length).toBeGreaterThan(10);
  for (const { name, pod } of pods) {
    expect(pod.securityContext, name).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.enableServiceLinks, name).toBe(false);
    for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
      expect(container.securityContext, name).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.resources?.limits?.memory, name).toBeDefined();
      const plain = (container.env ?? []).filter(({ name: variable, value }) => {
        return value !== undefined && /(_KEYS?|_CREDENTIAL|PASSWORD|DATABASE_URL)$/.test(variable);
      });
      expect(plain, name).toEqual([]);
    }
  }
});

describe('alerts and dashboard', () => {
  const alerts = (
    parse(read('helm/sac/files/alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] }
  ).groups.flatMap(({ rules }) => rules);
  const dashboard = JSON.parse(read('helm/sac/files/dashboard.json')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  const expressions = [
    ...alerts.map(({ expr }) => expr),
    ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ];
  const sources = [
    'backend/src/app',
    'backend/src/terminal-relay',
    'backend/src/entrypoints',
    'backend/src/runtimes/kubernetes',
    'backend/src/modules/reconciler',
  ]
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map(read)
    .join('\n');

  test('use metrics that exist', () => {
    const names = new Set(expressions.flatMap((expr) => expr.match(/\b(?:sac|process|nodejs)_[a-z0-9_]+/g) ?? []));
    expect(names.size).toBeGreaterThan(15);
    const fromLibrary = /^(process_cpu_seconds_total|process_resident_memory_bytes|nodejs_eventloop_lag_p99_seconds)$/;
    const missing = [...names].filter((name) => {
      const family = name.replace(/_(bucket|count|sum)$/, '');
      return !fromLibrary.test(name) && !sources.includes(`'${family}'`);
    });
    expect(missing).toEqual([]);
  });

  test('have a runbook page for each alert, and no page without one', () => {
    const names = alerts.map(({ alert }) => `${alert}.md`).sort();
    expect(names.length).toBeGreaterThan(5);
    expect(readdirSync(join(root, 'docs/runbooks')).sort()).toEqual(names);
  });
});

test('every setting of values.yaml is in the schema, and the other way round', () => {
  type Schema = { properties?: Record<string, Schema>; $ref?: string; type?: unknown };
  const schema = JSON.parse(read('helm/sac/values.schema.json')) as Schema;
  const differences: string[] = [];
  const compare = (values: Record<string, unknown>, { properties }: Schema, path: string): void => {
    if (properties === undefined) return;
    const names = new Set([...Object.keys(values), ...Object.keys(properties)]);
    for (const name of names) {
      const [value, described] = [values[name], properties[name]];
      if (path === '' && name === 'global') continue;
      if (value === undefined || described === undefined) differences.push(`${path}${name}`);
      else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        compare(value as Record<string, unknown>, described, `${path}${name}.`);
      }
    }
  };
  compare(parse(read('helm/sac/values.yaml')) as Record<string, unknown>, schema, '');
  expect(differences).toEqual([]);
  expect(existsSync(join(chartDir, 'README.md'))).toBe(true);
});
