import { answers, TestNamespace } from '../../../test/cluster.ts';
import { describeRuntime, type ConformanceSubject } from '../conformance.ts';

/** Killed without the runtime being asked is a sandbox whose set is deleted; a deleted pod comes back by itself. */
describeRuntime('the Kubernetes runtime', async (): Promise<ConformanceSubject> => {
  const namespace = await TestNamespace.create();
  let runtime = namespace.runtime();
  await runtime.start();
  const isThere = async (agentUid: string): Promise<boolean> =>
    (await namespace.client.find(namespace.pathOf('persistentvolumeclaims', agentUid))) !== null;
  return {
    runtime,
    spec: (overrides) => namespace.spec(overrides),
    brokenSpec: (overrides) => namespace.spec({ pod: { image: 'sac-agent:no-such-tag' }, ...overrides }),
    restart: async () => {
      await runtime.close();
      runtime = namespace.runtime();
      await runtime.start();
      return runtime;
    },
    killSandbox: async (agentUid) => namespace.client.delete(namespace.pathOf('statefulsets', agentUid)),
    answers,
    mark: async (agentUid) => void (await namespace.exec(agentUid, ['touch', '/workspace/mark'])),
    marked: async (agentUid) => {
      if (!(await isThere(agentUid))) return false;
      const pod = await namespace.pod(agentUid);
      if (pod === null) return namespace.onVolume(agentUid, ['test', '-e', '/workspace/mark']);
      return namespace.exec(agentUid, ['test', '-e', '/workspace/mark']).then(
        () => true,
        () => false,
      );
    },
    close: () => namespace.close(),
  };
});
