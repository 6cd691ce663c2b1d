import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Exec, KubeConfig, type V1Pod, type V1ResourceRequirements, type V1Status } from '@kubernetes/client-node';
import { pino, type Logger } from 'pino';
import { ClusterClient, pathOf, type ResourceName } from '../src/runtimes/kubernetes/cluster-client.ts';
import { createKubernetesRuntime } from '../src/runtimes/kubernetes/kubernetes-runtime.ts';
import { claimNameOf, objectName, podNameOf } from '../src/runtimes/kubernetes/names.ts';
import { defaultAgentPod } from '../src/config/cluster.ts';
import type { KubernetesRuntimeOptions } from '../src/runtimes/kubernetes/settings.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../src/runtimes/runtime.ts';
import { waitFor } from './sandbox-gateway.ts';
import { sandboxSpec } from './sandbox-machine.ts';

export const AGENT_IMAGE = process.env['SAC_TEST_AGENT_IMAGE'] ?? 'sac-agent:test';
/** Under which pods reach this machine. */
export const HOST_ADDRESS = process.env['SAC_TEST_HOST_ADDRESS'] ?? '10.89.0.1';
const CONNECT_TIMEOUT_MS = 2_000;
const WAIT_MS = 60_000;

export const loadKubeConfig = (): KubeConfig => {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  return kubeConfig;
};

/** One namespace of a real cluster, as the chart makes it, with the objects that a test puts there. */
export class TestNamespace {
  readonly name: string;
  readonly installId = `test-${randomBytes(4).toString('hex')}`;
  readonly kubeConfig = loadKubeConfig();
  readonly client = new ClusterClient(this.kubeConfig);
  readonly logger: Logger = pino({ level: process.env['SAC_TEST_LOG'] ?? 'silent' });
  readonly #runtimes: Runtime[] = [];
  readonly #specs = new Map<string, SandboxSpec>();

  private constructor(name: string) {
    this.name = name;
  }

  static async create(options: { exists?: boolean } = {}): Promise<TestNamespace> {
    const namespace = new TestNamespace(`sac-test-${randomBytes(4).toString('hex')}`);
    if (options.exists !== false) await namespace.make();
    return namespace;
  }

  async make(): Promise<void> {
    await this.put('/api/v1/namespaces', this.name, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    });
  }

  runtime(overrides: Partial<KubernetesRuntimeOptions> = {}): Runtime {
    const runtime = createKubernetesRuntime({
      kubeConfig: this.kubeConfig,
      namespaces: [this.name],
      installId: this.installId,
      image: AGENT_IMAGE,
      imagePullSecrets: [],
      clusterDomain: 'cluster.local',
      internalUrl: 'http://127.0.0.1:9',
      pod: {
        ...defaultAgentPod,
        resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { cpu: '2', memory: '1Gi' } },
        storageSize: '64Mi',
      },
      widestEgress: 'internet',
      version: '0.0.0-test',
      logger: this.logger,
      verifiesIsolation: false, // the namespaces of most tests have no policies
      ...overrides,
    });
    this.#runtimes.push(runtime);
    return runtime;
  }

  spec(overrides: Partial<SandboxSpec> = {}): SandboxSpec {
    const ids = { agentUid: randomUUID(), agentId: String(randomInt(1, 2 ** 47)) };
    const known = overrides.agentUid === undefined ? undefined : this.#specs.get(overrides.agentUid);
    const spec = sandboxSpec({ ...ids, ...(known && { agentId: known.agentId }), ...overrides });
    this.#specs.set(spec.agentUid, spec);
    return spec;
  }

  nameOf(agentUid: string): string {
    const spec = this.#specs.get(agentUid);
    if (spec === undefined) throw new Error(`no specification of ${agentUid} was made here`);
    return objectName(spec);
  }

  pathOf(resource: ResourceName, agentUid: string): string {
    const name = this.nameOf(agentUid);
    const named = { pods: podNameOf(name), persistentvolumeclaims: claimNameOf(name) } as Partial<
      Record<ResourceName, string>
    >;
    return pathOf(resource, this.name, named[resource] ?? name);
  }

  async put(collection: string, name: string, object: unknown): Promise<void> {
    await this.client.call({
      method: 'PATCH',
      path: `${collection}/${name}`,
      body: object,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager: 'test', force: 'true' },
    });
  }

  /** Asks whether the namespace takes a pod with these resources; makes none. @throws ClusterError when it does not */
  async tryPod(resources: V1ResourceRequirements): Promise<void> {
    await this.client.call({
      method: 'POST',
      path: pathOf('pods', this.name),
      query: { dryRun: 'All' },
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `try-${randomBytes(4).toString('hex')}` },
        spec: {
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'try',
              image: AGENT_IMAGE,
              resources,
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    });
  }

  async pod(agentUid: string): Promise<V1Pod | null> {
    return this.client.find<V1Pod>(this.pathOf('pods', agentUid));
  }

  /** What a command in a container writes. @throws with what it says on standard error when it fails */
  async exec(agentUid: string, command: readonly string[], container = 'agent'): Promise<string> {
    const [output, errors] = [new PassThrough(), new PassThrough()];
    const pod = podNameOf(this.nameOf(agentUid));
    const said = Promise.all([text(output), text(errors)]);
    const status = await new Promise<V1Status>((resolve, reject) => {
      new Exec(this.kubeConfig)
        .exec(this.name, pod, container, [...command], output, errors, null, false, resolve)
        .catch(reject);
    });
    output.end();
    errors.end();
    const [stdout, stderr] = await said;
    if (status.status !== 'Success') throw new Error(`${command.join(' ')}: ${status.message} ${stderr}`);
    return stdout;
  }

  /** Runs a command on the volume of an agent that sleeps, in a pod of its own; true when it ends with 0. */
  async onVolume(agentUid: string, command: readonly string[]): Promise<boolean> {
    const name = `look-${randomBytes(4).toString('hex')}`;
    await this.put(pathOf('pods', this.name), name, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.name },
      spec: {
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          fsGroup: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
        },
        containers: [
          {
            name: 'look',
            image: AGENT_IMAGE,
            command: [...command],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            volumeMounts: [{ name: 'home', mountPath: '/workspace', subPath: 'workspace' }],
          },
        ],
        volumes: [{ name: 'home', persistentVolumeClaim: { claimName: claimNameOf(this.nameOf(agentUid)) } }],
      },
    });
    const path = pathOf('pods', this.name, name);
    const phase = await waitFor(
      async () => {
        const pod = await this.client.find<V1Pod>(path);
        return ['Succeeded', 'Failed'].includes(pod?.status?.phase ?? '') ? pod?.status?.phase : undefined;
      },
      WAIT_MS,
      () => `pod ${name} has not ended`,
    );
    await this.client.delete(path, { graceSeconds: 0 });
    return phase === 'Succeeded';
  }

  async close(): Promise<void> {
    await Promise.all(this.#runtimes.map((runtime) => runtime.close()));
    await this.client.delete(`/api/v1/namespaces/${this.name}`);
    await this.client.close();
  }
}

/** Whether something accepts connections where the terminal server should be. */
export const answers = ({ upstream }: ObservedSandbox): Promise<boolean> =>
  new Promise((resolve) => {
    if (upstream?.kind !== 'tcp') return resolve(false);
    const socket = connect(upstream.port, upstream.host);
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });

/** The first view of a sandbox that is as wanted. @throws with the last one seen */
export const seen = (
  runtime: Runtime,
  agentUid: string,
  accepts: (sandbox: ObservedSandbox) => boolean,
  timeoutMs = WAIT_MS,
): Promise<ObservedSandbox> =>
  waitFor(
    () => {
      const sandbox = runtime.observed().get(agentUid);
      return sandbox !== undefined && accepts(sandbox) ? sandbox : undefined;
    },
    timeoutMs,
    () => JSON.stringify(runtime.observed().get(agentUid)),
  );

export const running = (runtime: Runtime, agentUid: string, generation = 1): Promise<ObservedSandbox> =>
  seen(runtime, agentUid, (sandbox) => sandbox.state === 'running' && sandbox.generation === generation);
