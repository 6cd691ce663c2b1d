import { join } from 'node:path';
import { HTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import { PodMonitor, PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { expect, test } from 'vitest';
import { casesDir, chartDir, render, requireHelm } from './helm.ts';

/** Kinds that the clusters of the tests do not know: checked against what their projects publish of them. */
const kinds: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  HTTPRoute,
  PodMonitor,
  PrometheusRule,
};

const checked = (object: unknown, Kind: new (data: never) => { validate(): void }): void =>
  new Kind(object as never).validate();

test.each([
  ['everything', join(casesDir, 'everything.yaml')],
  ['values for production', join(chartDir, 'values-production.yaml')],
])('objects for other projects are what those expect: %s', async (_name, values) => {
  requireHelm();
  const objects = (await render([values])).filter(({ kind }) => kind in kinds);
  expect(new Set(objects.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  for (const object of objects) {
    const Kind = kinds[object.kind];
    if (Kind !== undefined) expect(() => checked(object, Kind)).not.toThrow();
  }
});

test('the check refuses what is wrong', () => {
  const route = {
    metadata: { name: 'wrong' },
    spec: { rules: [{ matches: [{ path: { type: 'Wrong', value: '/' } }] }] },
  };
  expect(() => checked(route, HTTPRoute)).toThrow('path/type');
});
