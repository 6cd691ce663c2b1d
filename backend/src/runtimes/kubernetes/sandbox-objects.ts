import type { CoreV1Event, V1PersistentVolumeClaim, V1Pod, V1Service, V1StatefulSet } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { pathOf, type ClusterClient, type ClusterObject, type ResourceName } from './cluster-client.ts';
import { keepsMarks, LabelKeeper, type Slot } from './label-keeper.ts';
import { agentUidOf, installIdOf, SANDBOX_SELECTOR } from './objects/identity.ts';
import { Reflector, type Staleness } from './reflector.ts';

/** What the cluster tells about one object. */
export interface ClusterEvent {
  readonly reason: string;
  readonly message: string;
  readonly atMs: number;
  /** Of the object it is about: a new pod of the same name is another one. */
  readonly objectUid: string;
}

/** All objects of one agent that are there now. */
export interface SandboxObjects {
  readonly agentUid: string;
  readonly namespace: string;
  readonly name: string;
  set?: V1StatefulSet;
  pod?: V1Pod;
  claim?: V1PersistentVolumeClaim;
  service?: V1Service;
  /** A pod that is none of its own has the name of its pod. */
  isNameTaken?: boolean;
  events: readonly ClusterEvent[];
}

/** Only what says why something does not go on, or that it does after all. */
const INTERESTING =
  /^(Failed|BackOff|InvalidImageName|ErrImageNeverPull|Unhealthy|NodeNotReady|ProvisioningFailed|Pulling|Pulled|SuccessfulCreate|SuccessfulAttachVolume)/;
const KEPT_EVENTS = 8;
/** Events of objects that nobody has told of yet, or no longer; the oldest go. */
const KEPT_UNOWNED = 2_000;

interface Watched {
  readonly resource: ResourceName;
  readonly slot: Slot;
  readonly kind: string;
  /** With the name of the agent's objects in it: any other object is none of them, whatever its labels say. */
  readonly named: RegExp;
}

const resources: readonly Watched[] = [
  { resource: 'statefulsets', slot: 'set', kind: 'StatefulSet', named: /^(claude-code-[0-9]+-[0-9]+)$/ },
  { resource: 'pods', slot: 'pod', kind: 'Pod', named: /^(claude-code-[0-9]+-[0-9]+)-0$/ },
  {
    resource: 'persistentvolumeclaims',
    slot: 'claim',
    kind: 'PersistentVolumeClaim',
    named: /^home-(claude-code-[0-9]+-[0-9]+)-0$/,
  },
  { resource: 'services', slot: 'service', kind: 'Service', named: /^(claude-code-[0-9]+-[0-9]+)$/ },
];

const baseNameOf = (isIt: (watched: Watched) => boolean, name: string | undefined): string | null =>
  resources.find(isIt)?.named.exec(name ?? '')?.[1] ?? null;
const placeOf = (namespace: string | undefined, name: string): string => `${namespace}/${name}`;

const eventOf = (event: CoreV1Event): ClusterEvent => ({
  reason: event.reason ?? '',
  message: (event.message ?? '').slice(0, 2_000),
  atMs: new Date(
    event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? 0,
  ).getTime(),
  objectUid: event.involvedObject.uid ?? '',
});

export interface SandboxWatchOptions {
  readonly client: ClusterClient;
  readonly namespaces: readonly string[];
  readonly installId: string;
  readonly logger: Logger;
  /** Something of this agent's objects changed, after the start. */
  readonly onChange: (agentUid: string) => void;
}

/** The objects of this installation's sandboxes in all its namespaces, as the cluster has them now. */
export class SandboxWatch {
  readonly #options: SandboxWatchOptions;
  readonly #reflectors: readonly Reflector<ClusterObject>[];
  readonly #eventReflectors: readonly Reflector<ClusterObject>[];
  #isListed = false;
  readonly #byAgent = new Map<string, SandboxObjects>();
  /** For events alone, which name their object. */
  readonly #agentAt = new Map<string, string>();
  /** By the uid of each object: a name can be had again, and labels be changed. */
  readonly #agentOf = new Map<string, string>();
  readonly #events = new Map<string, readonly ClusterEvent[]>();
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #claims = new Map<string, V1PersistentVolumeClaim>();
  readonly #keeper: LabelKeeper;
  readonly #restoring = new Map<string, Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: SandboxWatchOptions) {
    this.#options = options;
    this.#keeper = new LabelKeeper(options.client, options.logger);
    this.#reflectors = options.namespaces.flatMap((namespace) =>
      resources.map(({ resource, slot }) => this.#reflect(namespace, resource, slot)),
    );
    this.#eventReflectors = options.namespaces.map((namespace) => this.#reflectEvents(namespace));
  }

  /**
   * Resolves when every object that exists is known. What the cluster says about them is read after that: there is far
   * more of it, and it only explains. @throws when it is closed before that
   */
  async start(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.start()));
    this.#isListed = true;
    for (const reflector of this.#eventReflectors) void reflector.start();
  }

  /** The longest time that something has not been heard of; null while all is current. */
  get stale(): Staleness | null {
    const all = [...this.#reflectors, ...this.#eventReflectors]
      .map(({ stale }) => stale)
      .filter((stale) => stale !== null);
    return all.sort((left, right) => left.since.getTime() - right.since.getTime())[0] ?? null;
  }

  find(agentUid: string): SandboxObjects | undefined {
    return this.#byAgent.get(agentUid);
  }

  /**
   * What was told of an earlier start says nothing of the next one; by order, not by clocks. The volume is the same one, and
   * what is told of it comes again only after a while.
   */
  forgetEvents(agentUid: string): void {
    const known = this.#byAgent.get(agentUid);
    if (known === undefined) return;
    const past = [known.set?.metadata?.uid, known.pod?.metadata?.uid];
    this.#byAgent.set(agentUid, {
      ...known,
      events: known.events.filter(({ objectUid }) => !past.includes(objectUid)),
    });
  }

  /** All volumes of sandboxes, of whatever installation. */
  claims(): readonly V1PersistentVolumeClaim[] {
    return [...this.#claims.values()];
  }

  all(): readonly SandboxObjects[] {
    return [...this.#byAgent.values()];
  }

  /** Resolves when the objects of an agent are as `accepts` wants. @throws the reason `signal` is aborted with */
  async until(
    agentUid: string,
    signal: AbortSignal,
    accepts: (objects: SandboxObjects | undefined) => boolean,
  ): Promise<void> {
    while (!accepts(this.find(agentUid))) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiters.get(agentUid)?.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const waiters = this.#waiters.get(agentUid) ?? new Set();
        this.#waiters.set(agentUid, waiters.add(wake));
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('closed'));
    await Promise.all([...this.#reflectors, ...this.#eventReflectors].map((reflector) => reflector.close()));
    await Promise.all(this.#restoring.values());
  }

  #changed(agentUid: string): void {
    if (this.#isListed) this.#options.onChange(agentUid);
    const waiters = [...(this.#waiters.get(agentUid) ?? [])];
    this.#waiters.delete(agentUid);
    for (const wake of waiters) wake();
  }

  #reflect(namespace: string, resource: ResourceName, slot: Slot): Reflector<ClusterObject> {
    const { client, logger } = this.#options;
    return new Reflector<ClusterObject>({
      client,
      logger,
      path: pathOf(resource, namespace),
      labelSelector: SANDBOX_SELECTOR,
      onPut: (object) => this.#put(slot, object),
      onDelete: (object) => this.#vanished(slot, object),
    });
  }

  #reflectEvents(namespace: string): Reflector<ClusterObject> {
    const { client, logger } = this.#options;
    return new Reflector<ClusterObject>({
      client,
      logger,
      path: pathOf('events', namespace),
      labelSelector: null,
      onPut: (object) => this.#putEvent(object as CoreV1Event),
      onDelete: () => undefined,
    });
  }

  /** Objects of another installation are none of our business; those with a name of ours are met when it is needed. */
  #ownerOf(slot: Slot, object: ClusterObject): { agentUid: string; namespace: string; name: string } | null {
    const agentUid = agentUidOf(object as V1Pod);
    const name = baseNameOf((watched) => watched.slot === slot, object.metadata?.name);
    const namespace = object.metadata?.namespace;
    if (agentUid === null || name === null || namespace === undefined) return null;
    return installIdOf(object as V1Pod) === this.#options.installId ? { agentUid, namespace, name } : null;
  }

  /** What this agent's slot holds, when it is the very object that is told of. */
  #sameAt(slot: Slot, { metadata }: ClusterObject): ClusterObject | undefined {
    const agentUid = this.#agentOf.get(metadata?.uid ?? '');
    const before = agentUid === undefined ? undefined : this.#byAgent.get(agentUid)?.[slot];
    return before?.metadata?.uid === metadata?.uid ? before : undefined;
  }

  /** Also told of an object whose labels no longer are those that are watched. */
  #vanished(slot: Slot, object: ClusterObject): void {
    if (slot === 'claim') this.#claims.delete(`${object.metadata?.namespace}/${object.metadata?.name}`);
    const before = this.#sameAt(slot, object);
    if (before === undefined || before.metadata?.deletionTimestamp !== undefined) this.#delete(slot, object);
    else this.#restore(slot, before);
  }

  /** Until that is decided the object is seen as it was. */
  #restore(slot: Slot, before: ClusterObject): void {
    const { namespace = '', name = '', uid = '' } = before.metadata ?? {};
    const resource = resources.find((each) => each.slot === slot)?.resource;
    if (this.#restoring.has(uid) || resource === undefined) return;
    const options = { slot, signal: this.#abort.signal };
    const restored = this.#keeper.restore(pathOf(resource, namespace, name), before, options).then((isThere) => {
      this.#restoring.delete(uid);
      if (!isThere && !this.#abort.signal.aborted) this.#delete(slot, before);
    });
    this.#restoring.set(uid, restored);
  }

  #put(slot: Slot, object: ClusterObject): void {
    if (slot === 'claim')
      this.#claims.set(`${object.metadata?.namespace}/${object.metadata?.name}`, object as V1PersistentVolumeClaim);
    const before = this.#sameAt(slot, object);
    const isEnding = object.metadata?.deletionTimestamp !== undefined;
    if (before !== undefined && !isEnding && !keepsMarks(object, before, slot)) return this.#restore(slot, before);
    const owner = this.#ownerOf(slot, object);
    if (before !== undefined && agentUidOf(before as V1Pod) !== owner?.agentUid) this.#delete(slot, before);
    if (owner === null) return this.#delete(slot, object);
    const place = placeOf(owner.namespace, owner.name);
    const known = this.#byAgent.get(owner.agentUid) ?? { ...owner, events: this.#events.get(place) ?? [] };
    this.#events.delete(place);
    this.#agentOf.delete(known[slot]?.metadata?.uid ?? '');
    this.#agentOf.set(object.metadata?.uid ?? '', owner.agentUid);
    this.#byAgent.set(owner.agentUid, { ...known, [slot]: object });
    this.#agentAt.set(place, owner.agentUid);
    this.#changed(owner.agentUid);
  }

  #delete(slot: Slot, object: ClusterObject): void {
    const uid = object.metadata?.uid ?? '';
    const agentUid = this.#agentOf.get(uid);
    const known = agentUid === undefined ? undefined : this.#byAgent.get(agentUid);
    if (agentUid === undefined || known === undefined || known[slot]?.metadata?.uid !== uid) return;
    this.#agentOf.delete(uid);
    const rest: SandboxObjects = { ...known };
    delete rest[slot];
    if (resources.some((each) => rest[each.slot] !== undefined)) this.#byAgent.set(agentUid, rest);
    else {
      this.#byAgent.delete(agentUid);
      const place = placeOf(known.namespace, known.name);
      if (this.#agentAt.get(place) === agentUid) this.#agentAt.delete(place);
    }
    this.#changed(agentUid);
  }

  #putEvent(event: CoreV1Event): void {
    const { kind } = event.involvedObject;
    const name = baseNameOf((watched) => watched.kind === kind, event.involvedObject.name);
    if (name === null || !INTERESTING.test(event.reason ?? '')) return;
    const place = placeOf(event.involvedObject.namespace, name);
    const agentUid = this.#agentAt.get(place);
    const known = agentUid === undefined ? undefined : this.#byAgent.get(agentUid);
    const before = known?.events ?? this.#events.get(place) ?? [];
    const now = eventOf(event);
    const others = before.filter(({ reason, objectUid }) => reason !== now.reason || objectUid !== now.objectUid);
    const events = [...others, now].sort((left, right) => left.atMs - right.atMs).slice(-KEPT_EVENTS);
    if (agentUid === undefined || known === undefined) return this.#keepUnowned(place, events);
    this.#byAgent.set(agentUid, { ...known, events });
    this.#changed(agentUid);
  }

  #keepUnowned(place: string, events: readonly ClusterEvent[]): void {
    this.#events.delete(place);
    this.#events.set(place, events);
    const [oldest] = this.#events.keys();
    if (this.#events.size > KEPT_UNOWNED && oldest !== undefined) this.#events.delete(oldest);
  }
}
