import { afterAll, beforeAll, expect, it } from 'vitest';
import { running, TestNamespace } from '../../../test/cluster.ts';
import type { Runtime } from '../runtime.ts';

let namespace: TestNamespace;
let runtime: Runtime;
beforeAll(async () => {
  namespace = await TestNamespace.create();
  runtime = namespace.runtime();
  await runtime.start();
});
afterAll(() => namespace.close());

it('/tmp has the sticky bit, can be written, and is empty at every start', async () => {
  const spec = namespace.spec();
  for (const generation of [1, 2]) {
    await runtime.ensure({ ...spec, generation });
    await running(runtime, spec.agentUid, generation);
    const look = ['sh', '-c', 'stat -c "%a %u" /tmp && ls -A /tmp | grep -c mark; touch /tmp/mark'];
    expect((await namespace.exec(spec.agentUid, look)).split('\n').slice(0, 2)).toEqual(['1777 1000', '0']);
  }
  await runtime.stop(spec.agentUid, { graceMs: 0 });
});
