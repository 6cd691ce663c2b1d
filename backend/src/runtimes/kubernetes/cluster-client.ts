import { HttpMethod, RequestContext, type KubeConfig } from '@kubernetes/client-node';
import { request, type Dispatcher } from 'undici';
import { ClusterError } from './cluster-error.ts';
import { ClusterMetrics } from './cluster-metrics.ts';
import { FIELD_MANAGER } from './objects/identity.ts';

/** Longer than a slow API server, shorter than the patience of whoever waits. */
const CALL_TIMEOUT_MS = 15_000;
/** Tokens of a service account are exchanged on disk, and certificates of an authority change. */
const CREDENTIALS_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

type Query = Readonly<Record<string, string>>;

export interface ClusterCall {
  readonly method: 'GET' | 'PATCH' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** An object as the API server takes and gives it. */
export interface ClusterObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string | Date;
    readonly labels?: { readonly [name: string]: string };
    readonly annotations?: { readonly [name: string]: string };
    managedFields?: readonly { readonly manager?: string; readonly subresource?: string }[];
  };
}

interface Credentials {
  readonly headers: Record<string, string>;
  readonly dispatcher: Dispatcher | undefined;
}

export type ResourceName = 'statefulsets' | 'services' | 'secrets' | 'persistentvolumeclaims' | 'pods' | 'events';

/** Path of a collection or, with a name, of one object. */
export const pathOf = (resource: ResourceName, namespace: string, name?: string): string =>
  `/${resource === 'statefulsets' ? 'apis/apps/v1' : 'api/v1'}/namespaces/${encodeURIComponent(namespace)}/${resource}` +
  (name === undefined ? '' : `/${encodeURIComponent(name)}`);

const readBounded = async (body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> => {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};

/**
 * Requests to the API server, each with a deadline, over connections that are kept. The generated clients of the
 * library open a connection for every request and put whole answers, secrets included, into the messages of errors.
 */
export class ClusterClient {
  readonly kubeConfig: KubeConfig;
  readonly metrics = new ClusterMetrics();
  readonly #server: string;
  #credentials: Promise<Credentials> | null = null;
  #untilMs = 0;

  /** @throws when the configuration names no cluster */
  constructor(kubeConfig: KubeConfig) {
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null)
      throw new Error('No cluster is configured: there is neither a service account nor a kubeconfig.');
    this.kubeConfig = kubeConfig;
    this.#server = cluster.server.replace(/\/+$/, '');
  }

  /** The object or list that was asked for. @throws ClusterError, or the reason `signal` was aborted with */
  async call<T>(call: ClusterCall): Promise<T> {
    const beganMs = performance.now();
    let status: number | null = 200;
    try {
      return await this.#answerTo<T>(call);
    } catch (error) {
      status = error instanceof ClusterError ? error.status : null;
      throw error;
    } finally {
      this.metrics.requested(call.method, call.path, status, performance.now() - beganMs);
    }
  }

  async #answerTo<T>(call: ClusterCall): Promise<T> {
    const asked = { method: call.method, path: call.path };
    const signal = AbortSignal.any([
      AbortSignal.timeout(CALL_TIMEOUT_MS),
      ...(call.signal === undefined ? [] : [call.signal]),
    ]);
    try {
      const { headers, dispatcher } = await this.#currentCredentials();
      const { statusCode, body } = await request(`${this.#server}${call.path}`, {
        method: call.method,
        headers: {
          ...headers,
          accept: call.accept ?? 'application/json',
          'user-agent': FIELD_MANAGER,
          ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        signal,
        ...(call.query && { query: call.query }),
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        ...(dispatcher && { dispatcher }),
      });
      if (statusCode >= 200 && statusCode < 300) return JSON.parse(await readBounded(body, MAX_ANSWER_BYTES)) as T;
      const said = await readBounded(body, MAX_ERROR_BYTES);
      if (statusCode === 401) this.#untilMs = 0;
      throw ClusterError.refused(asked, statusCode, said);
    } catch (error) {
      if (error instanceof ClusterError) throw error;
      call.signal?.throwIfAborted();
      throw ClusterError.unanswered(asked, error);
    }
  }

  /** Null when there is none. @throws ClusterError */
  async find<T>(path: string, signal?: AbortSignal): Promise<T | null> {
    try {
      return await this.call<T>({ method: 'GET', path, ...(signal && { signal }) });
    } catch (error) {
      if (error instanceof ClusterError && error.isNotFound) return null;
      throw error;
    }
  }

  /** Labels, annotations and versions of an object, not its content. Null when there is none. @throws ClusterError */
  async findMetadata(path: string, signal?: AbortSignal): Promise<ClusterObject | null> {
    try {
      return await this.call<ClusterObject>({ method: 'GET', path, accept: METADATA, ...(signal && { signal }) });
    } catch (error) {
      if (error instanceof ClusterError && error.isNotFound) return null;
      throw error;
    }
  }

  /** Server-side apply: what we name becomes as we say, whoever said otherwise. @throws ClusterError */
  apply<T extends ClusterObject>(
    path: string,
    object: T,
    options: { dryRun?: boolean; signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.call<T>({
      method: 'PATCH',
      path,
      body: object,
      contentType: 'application/apply-patch+yaml',
      query: {
        fieldManager: FIELD_MANAGER,
        force: 'true',
        fieldValidation: 'Strict',
        ...(options.dryRun && { dryRun: 'All' }),
      },
      ...(options.signal && { signal: options.signal }),
    });
  }

  /** @throws ClusterError */
  merge<T>(path: string, change: unknown, signal?: AbortSignal): Promise<T> {
    return this.call<T>({
      method: 'PATCH',
      path,
      body: change,
      contentType: 'application/merge-patch+json',
      query: { fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' },
      ...(signal && { signal }),
    });
  }

  /** That there is none is success; with `uid` only that very object is deleted. @throws ClusterError */
  async delete(
    path: string,
    options: { uid?: string; graceSeconds?: number; orphans?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(options.uid !== undefined && { preconditions: { uid: options.uid } }),
      ...(options.graceSeconds !== undefined && { gracePeriodSeconds: options.graceSeconds }),
      propagationPolicy: options.orphans ? 'Orphan' : 'Background',
    };
    try {
      await this.call({ method: 'DELETE', path, body, ...(options.signal && { signal: options.signal }) });
    } catch (error) {
      // A conflict: there is another object of that name now, and it was not meant.
      const isGone =
        error instanceof ClusterError && (error.isNotFound || (error.status === 409 && options.uid !== undefined));
      if (!isGone) throw error;
    }
  }

  async close(): Promise<void> {
    const credentials = await this.#credentials?.catch(() => null);
    this.#credentials = null;
    await credentials?.dispatcher?.destroy();
  }

  async #currentCredentials(): Promise<Credentials> {
    if (this.#credentials !== null && Date.now() < this.#untilMs) return this.#credentials;
    const before = this.#credentials;
    this.#untilMs = Date.now() + CREDENTIALS_MS;
    this.#credentials = this.#load();
    this.#credentials.catch(() => (this.#untilMs = 0));
    // Ends when the requests that still use it have; whoever was just given it begins one in this turn.
    before?.then(
      ({ dispatcher }) => setImmediate(() => void dispatcher?.close().catch(() => undefined)),
      () => undefined,
    );
    return this.#credentials;
  }

  async #load(): Promise<Credentials> {
    const context = new RequestContext(this.#server, HttpMethod.GET);
    await this.kubeConfig.applySecurityAuthentication(context);
    return { headers: context.getHeaders(), dispatcher: context.getDispatcher() };
  }
}
