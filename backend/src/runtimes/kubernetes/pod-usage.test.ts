import pino from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ClusterCall, ClusterClient } from './cluster-client.ts';
import { ClusterError } from './cluster-error.ts';
import { PodUsage } from './pod-usage.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('that this account may not ask is in the log once per namespace, until it may again', async () => {
  const logged: string[] = [];
  let status = 403;
  const call = async ({ method, path }: ClusterCall): Promise<unknown> => {
    if (status !== 200) throw ClusterError.refused({ method, path }, status, '{}');
    return { items: [] };
  };
  const logger = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
  const usage = new PodUsage({ call } as Pick<ClusterClient, 'call'>, logger, new AbortController().signal);
  const ask = async (namespace: string): Promise<void> => {
    expect(await usage.find({ metadata: { name: 'x-0', namespace } })).toBeNull();
    await vi.advanceTimersByTimeAsync(61_000);
  };
  for (const namespace of ['one', 'one', 'two']) await ask(namespace);
  expect(logged.map((line) => (JSON.parse(line) as { namespace: string }).namespace)).toEqual(['one', 'two']);
  expect(logged[0]).toMatch(/may not list pods of metrics\.k8s\.io.*Role of the chart/);
  for (status of [503, 200, 404, 403]) await ask('one');
  expect(logged).toHaveLength(3);
});
