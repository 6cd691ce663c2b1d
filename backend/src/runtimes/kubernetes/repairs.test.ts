import { setTimeout as delay } from 'node:timers/promises';
import pino from 'pino';
import { expect, it } from 'vitest';
import type { ClusterClient } from './cluster-client.ts';
import { serviceOf } from './objects/service.ts';
import { statefulSetOf } from './objects/stateful-set.ts';
import { Repairs } from './repairs.ts';
import type { SandboxObjects } from './sandbox-objects.ts';
import { exampleIdentity, plainParts } from './testing/examples.ts';

const identity = exampleIdentity();
const made = statefulSetOf(identity, plainParts);

/** Of agents whose objects are `found`, until they are put right. */
const repairing = (found: Partial<SandboxObjects>) => {
  const logged: string[] = [];
  const appliedAtMs: number[] = [];
  let repaired = 0;
  const abort = new AbortController();
  const { namespace, name } = identity;
  const repairs = new Repairs({
    client: { metrics: { repaired: () => (repaired += 1) } } as unknown as ClusterClient,
    logger: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
    signal: abort.signal,
    find: (agentUid) => ({ agentUid, namespace, name, events: [], ...found }),
    isBusy: () => false,
    inBackground: (_agentUid, work) => void work(),
    apply: async () => {
      appliedAtMs.push(performance.now());
      return { set: { ...made, metadata: { ...made.metadata, generation: 1 } }, secretVersion: '1' };
    },
  });
  const end = (): void => {
    repairs.close();
    abort.abort(new Error('the end'));
  };
  return { repairs, logged, appliedAtMs, end, repairedCount: () => repaired };
};

const levelsOf = (lines: readonly string[]): number[] =>
  lines.map((line) => (JSON.parse(line) as { level: number }).level);

it('puts many right one after the other', async () => {
  const { repairs, appliedAtMs, end } = repairing({ pod: { metadata: { uid: 'left-by-its-set' } } });
  for (let count = 0; count < 8; count += 1) repairs.confirm({ ...identity, agentUid: `agent-${count}` }, plainParts);
  while (appliedAtMs.length < 8) await delay(20);
  end();
  expect(appliedAtMs.at(-1)! - appliedAtMs[0]!).toBeGreaterThan(500);
});

it('what this version wants otherwise than the one before is no repair', async () => {
  const older = { ...plainParts, settings: { ...plainParts.settings, image: 'registry.example/sac-agent:1.2.2' } };
  const set = { ...statefulSetOf(identity, older), metadata: { ...made.metadata, generation: 1 } };
  const service = serviceOf(identity);
  const { repairs, logged, appliedAtMs, end, repairedCount } = repairing({ set, service });
  repairs.confirm(identity, plainParts);
  while (appliedAtMs.length < 1) await delay(20);
  expect([levelsOf(logged), repairedCount()]).toEqual([[30], 0]);
  expect(logged[0]).toContain('brought up to date');
  // From here on it is somebody else who changes it.
  set.metadata.generation = 2;
  repairs.look(identity.agentUid);
  while (appliedAtMs.length < 2) await delay(20);
  end();
  expect([levelsOf(logged), repairedCount()]).toEqual([[30, 40], 1]);
});
