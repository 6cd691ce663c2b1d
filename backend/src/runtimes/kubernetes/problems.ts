import type { AgentFailure } from '@sac/contracts';
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { failure, foreignPod, podSecurity, quotaExceeded } from './failures.ts';
import { podNameOf } from './names.ts';
import { bytesInWords, memoryBytes } from './quantities.ts';
import type { ClusterEvent, SandboxObjects } from './sandbox-objects.ts';
import { begunMs, messageOf, readySinceMs, statusesOf } from './start-phases.ts';

/** Why a sandbox does not go on. With `isFinal` false it may still do so by itself; a person is told already. */
export interface Problem {
  readonly failure: AgentFailure;
  readonly isFinal: boolean;
}

const problem = (told: AgentFailure, isFinal = true): Problem => ({ failure: told, isFinal });

const eventsOf = (
  { events }: SandboxObjects,
  objectUid: string | undefined,
  reasons: RegExp,
): ClusterEvent | undefined =>
  events.filter((event) => event.objectUid === objectUid && reasons.test(event.reason)).at(-1);

const amountOf = (pod: V1Pod, resource: 'cpu' | 'memory'): string => {
  const amount = pod.spec?.containers.find(({ name }) => name === 'agent')?.resources?.requests?.[resource];
  if (amount === undefined) return resource === 'cpu' ? 'enough CPU' : 'enough memory';
  if (resource === 'cpu') return `${amount} CPU`;
  try {
    return `${bytesInWords(memoryBytes('memory', amount))} of memory`;
  } catch {
    return `${amount} of memory`;
  }
};

/** "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint {…}." in words for a person. */
const unschedulable = (pod: V1Pod, message: string): AgentFailure => {
  const lacks = [
    ...(message.includes('Insufficient memory') ? [amountOf(pod, 'memory')] : []),
    ...(message.includes('Insufficient cpu') ? [amountOf(pod, 'cpu')] : []),
  ];
  if (lacks.length > 0)
    return failure(
      'no_node_free',
      `No node has ${lacks.join(' and ')} free.`,
      'Give the agent less, put other agents to sleep, or ask an administrator for more nodes.',
      message,
    );
  if (message.includes('volume node affinity'))
    return failure(
      'no_node_free',
      'The volume of the agent is on a node, or in a zone, that has no room for it.',
      'An administrator makes room there, or moves the volume.',
      message,
    );
  const [, closed] = /([0-9]+) node\(s\) were unschedulable/.exec(message) ?? [];
  if (closed !== undefined)
    return failure(
      'no_node_free',
      `No node takes the sandbox: ${closed} of them ${closed === '1' ? 'is' : 'are'} closed for maintenance.`,
      'It goes on by itself when a node is open again (kubectl uncordon), or when there is another one.',
      message,
    );
  return failure(
    'no_node_free',
    `No node takes the sandbox: ${message}`,
    'An administrator brings node selector, tolerations and nodes together.',
  );
};

const claimProblem = (objects: SandboxObjects): AgentFailure | null => {
  const { claim } = objects;
  if (claim?.status?.phase !== 'Pending') return null;
  const told = eventsOf(objects, claim.metadata?.uid, /^(FailedBinding|ProvisioningFailed|Failed)/);
  if (told === undefined) return null;
  if (told.message.includes('no storage class is set'))
    return failure(
      'no_storage_class',
      'The cluster has no default StorageClass, and the installation names none.',
      'An administrator sets storageClass in the settings of sandboxes, or marks a StorageClass as default.',
      told.message,
    );
  return failure(
    'volume_unavailable',
    `There is no volume for the agent: ${told.message}`,
    'An administrator mends the storage of the cluster; the start goes on by itself.',
  );
};

/** Sooner, the node often has not heard yet of what the pod needs, and tries again. */
const MOUNT_PATIENCE_MS = 5_000;

const missingSecretIn = (message: string): string | undefined => /secret "([^"]+)" not found/.exec(message)?.[1];

/** Names the pod and the moment for which the Secret was missing; null while it starts, or never missed it. */
export const missingSecretOf = (objects: SandboxObjects): string | null => {
  const { pod } = objects;
  if (pod === undefined || readySinceMs(pod) !== null) return null;
  const told = eventsOf(objects, pod.metadata?.uid, /^FailedMount$/);
  return told === undefined || missingSecretIn(told.message) === undefined ? null : `${told.objectUid}/${told.atMs}`;
};

const mountProblem = (objects: SandboxObjects, pod: V1Pod, waitedMs: number): AgentFailure | null => {
  if (waitedMs < MOUNT_PATIENCE_MS) return null;
  const podUid = pod.metadata?.uid;
  const told = eventsOf(objects, podUid, /^Failed(AttachVolume|Mount)/);
  const wentOn = eventsOf(objects, podUid, /^(SuccessfulAttachVolume|Pull(ing|ed))$/);
  // The cluster counts whole seconds: in the same one, what failed comes first.
  if (told === undefined || (wentOn?.atMs ?? -Infinity) >= told.atMs) return null;
  const secret = missingSecretIn(told.message);
  if (secret !== undefined)
    return failure(
      'secret_missing',
      `The Secret ${secret} of the sandbox was deleted.`,
      'Restart the agent: that makes it again.',
    );
  // "… attached to one node and can't be attached to another" names none.
  const [, node] = /already (?:exclusively )?attached to (?:one )?nodes? (?!and )"?([^\s"]+)/.exec(told.message) ?? [];
  const where = node === undefined ? 'another node' : `node ${node}`;
  return failure(
    'volume_unavailable',
    /already (?:exclusively )?attached|Multi-Attach/.test(told.message)
      ? `The volume is still attached to ${where}.`
      : `The volume cannot be attached: ${told.message}`,
    'It goes on by itself when the volume is free. When that node is dead for good, an administrator marks it as out of service.',
    told.message,
  );
};

const imageProblem = (image: string, reason: string, message: string): Problem | null => {
  switch (reason) {
    case 'InvalidImageName':
      return problem(
        failure(
          'image_invalid',
          `${image} is no name of an image.`,
          'Correct the image in the settings, then restart the agent.',
        ),
      );
    case 'ErrImageNeverPull':
    case 'ErrImagePull':
    case 'ImagePullBackOff': {
      const isDenied = /unauthorized|denied|forbidden|401|403/i.test(message);
      const told = isDenied
        ? failure(
            'image_denied',
            `The registry does not give the image ${image} to the cluster.`,
            'Correct the name of the image; for a private one an administrator adds a pull secret.',
            message,
          )
        : failure(
            'image_not_found',
            `The image ${image} cannot be fetched.`,
            'Correct the image in the settings, then restart the agent; the output says what the registry answered.',
            message,
          );
      // The first attempt may have met a registry that was busy.
      return problem(told, reason !== 'ErrImagePull' || /not found|invalid/i.test(message));
    }
    default:
      return null;
  }
};

const brokenImage = (image: string, message: string): Problem =>
  problem(
    failure(
      'image_unfit',
      `The image ${image} is not made for sandboxes: its program cannot be started.`,
      'Run sac-image-check on the image: it names what is missing. Then choose another image or mend this one.',
      message,
    ),
  );

const outputOf = (status: V1ContainerStatus): string | null => {
  const ended = status.lastState?.terminated ?? status.state?.terminated;
  return ended?.message === undefined || ended.message === '' ? null : ended.message.slice(-2_048);
};

const crashProblem = (status: V1ContainerStatus): Problem => {
  const ended = status.lastState?.terminated ?? status.state?.terminated;
  const said = messageOf(status.lastState) ?? messageOf(status.state);
  if (said !== null) return problem(said.failure, said.failure.code !== 'generation_replaced');
  if (ended?.reason === 'OOMKilled')
    return problem(
      failure(
        'out_of_memory',
        'The sandbox needed more memory than it may have and was ended.',
        'Give the agent more memory, then restart it.',
      ),
    );
  const how = ended?.signal === undefined ? `exit code ${ended?.exitCode ?? 'unknown'}` : `signal ${ended.signal}`;
  return problem(
    failure(
      'sandbox_crash_loop',
      `The container ${status.name} of the sandbox ended ${status.restartCount} times, last with ${how}.`,
      'Look at the last output, then restart the agent.',
      outputOf(status),
    ),
  );
};

const CANNOT_START = new Set(['CreateContainerError', 'RunContainerError', 'StartError', 'ContainerCannotRun']);
/** Ended so often, a container is failing also between two waits of the kubelet. */
const MANY_RESTARTS = 3;

const containerProblem = (status: V1ContainerStatus): Problem | null => {
  const { waiting, terminated } = status.state ?? {};
  const last = status.lastState?.terminated;
  const image = status.image;
  if (CANNOT_START.has(waiting?.reason ?? '')) return brokenImage(image, waiting?.message ?? '');
  if (CANNOT_START.has(terminated?.reason ?? '')) return brokenImage(image, terminated?.message ?? '');
  if (waiting?.reason === 'CreateContainerConfigError')
    return problem(
      failure(
        'sandbox_config_invalid',
        `The cluster cannot make the container: ${waiting.message ?? ''}`,
        'Restart the agent; if it happens again, an administrator looks at the pod.',
      ),
    );
  if (waiting?.reason === 'CrashLoopBackOff')
    return CANNOT_START.has(last?.reason ?? '') ? brokenImage(image, last?.message ?? '') : crashProblem(status);
  if (waiting !== undefined) return imageProblem(image, waiting.reason ?? '', waiting.message ?? '');
  if (!status.ready && status.restartCount >= MANY_RESTARTS) return crashProblem(status);
  return null;
};

/** A node that says nothing more leaves its containers ready and the pod not, also while the pod is to end. */
const nodeProblem = (pod: V1Pod): Problem | null => {
  const { containerStatuses } = pod.status ?? {};
  const isLost = containerStatuses?.every(({ ready }) => ready) === true && readySinceMs(pod) === null;
  if (!isLost) return null;
  return problem(
    failure(
      'node_unavailable',
      `The node ${pod.spec?.nodeName ?? ''} does not answer.`,
      'It goes on by itself when the node is back. When it is dead for good, an administrator marks it as out of service.',
    ),
    false,
  );
};

const podProblem = (objects: SandboxObjects, pod: V1Pod, waitedMs: number): Problem | null => {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    const claim = claimProblem(objects);
    return problem(claim ?? unschedulable(pod, scheduled.message ?? ''), false);
  }
  if (pod.status?.reason === 'Evicted')
    return problem(
      failure('evicted', `The node ended the sandbox: ${pod.status.message ?? ''}`, 'It is started again by itself.'),
      false,
    );
  for (const status of statusesOf(pod)) {
    const found = containerProblem(status);
    if (found !== null) return found;
  }
  const mount = mountProblem(objects, pod, waitedMs);
  const hasStarted = statusesOf(pod).some(({ state }) => state?.running ?? state?.terminated);
  if (mount !== null && !hasStarted) return problem(mount, false);
  return nodeProblem(pod);
};

const setProblem = (objects: SandboxObjects): Problem | null => {
  if (objects.isNameTaken) return problem(foreignPod(`${objects.namespace}/${podNameOf(objects.name)}`), false);
  // What failed before a pod could be made after all is told late at times, and says nothing of the next one.
  const told = eventsOf(objects, objects.set?.metadata?.uid, /^(Failed|Successful)Create$/);
  if (told?.reason !== 'FailedCreate') return null;
  const { message } = told;
  // Some moments only: labels of its own pod are put back, and for a pod of somebody else it is looked (absent-pods.ts).
  if (/already exists/.test(message)) return null;
  if (/exceeded quota|failed quota/.test(message)) return problem(quotaExceeded(message));
  if (/violates PodSecurity/.test(message)) return problem(podSecurity(message));
  const [, runtimeClass] = /RuntimeClass "([^"]+)" not found/.exec(message) ?? [];
  if (runtimeClass !== undefined)
    return problem(
      failure(
        'cluster_refused',
        `The cluster has no RuntimeClass ${runtimeClass}.`,
        'Choose another runtime class in the settings of the agent, or ask an administrator to add it to the cluster.',
        message,
      ),
    );
  return problem(
    failure(
      'cluster_refused',
      `The cluster refused the pod of the sandbox: ${message.replace(/^create Pod \S+ in StatefulSet \S+ failed error: /i, '')}`,
      'An administrator changes the settings or the rule of the cluster that this names.',
    ),
  );
};

/** What keeps a sandbox from running, if anything does; what may pass by itself is a failure after `patienceMs`. */
export const problemOf = (objects: SandboxObjects, waitedMs: number, patienceMs: number): Problem | null => {
  const { pod } = objects;
  const isEnding = pod?.metadata?.deletionTimestamp !== undefined;
  const found =
    pod === undefined ? setProblem(objects) : isEnding ? nodeProblem(pod) : podProblem(objects, pod, waitedMs);
  if (found === null || found.isFinal) return found;
  return { ...found, isFinal: waitedMs >= patienceMs };
};

/** An image that is being fetched; that of the agent may be when the sidecar runs already. */
const pulledNow = (objects: SandboxObjects, pod: V1Pod): ClusterEvent | null => {
  const told = eventsOf(objects, pod.metadata?.uid, /^Pull(ing|ed)$/);
  return told?.reason === 'Pulling' && begunMs(pod, 'agent') === null ? told : null;
};

export const isPulling = (objects: SandboxObjects, pod: V1Pod): boolean => pulledNow(objects, pod) !== null;

/** What goes on right now, in a line for a person; null when there is nothing to add to the name of the phase. */
export const detailOf = (objects: SandboxObjects): string | null => {
  const { pod } = objects;
  if (pod === undefined) return null;
  const scheduled = pod.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'True');
  if (!scheduled) return null;
  const pulled = pulledNow(objects, pod);
  if (pulled !== null) return pulled.message.replace(/^Pulling image "(.*)"$/, 'Pulling $1');
  return begunMs(pod, 'sidecar') === null ? 'Preparing volume and network' : null;
};
