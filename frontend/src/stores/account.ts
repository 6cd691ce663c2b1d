import type { ServerEvent, SignedIn, User } from '@sac/contracts';
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import { api, credentials } from '../api/client.ts';
import { browserLock } from '../api/browser-lock.ts';
import { EventHub, type LinkState } from '../api/event-hub.ts';
import { openEventStream } from '../api/event-source.ts';
import { useAgentsStore } from './agents.ts';
import { useCapabilitiesStore } from './capabilities.ts';

type Hello = Extract<ServerEvent, { type: 'hello' }>;

/** Who is signed in, and the event stream that belongs to the account. */
export const useAccountStore = defineStore('account', () => {
  const user = shallowRef<User | null>(null);
  const link = shallowRef<LinkState>({ phase: 'connecting', retryAtMs: null });
  /** Epoch milliseconds since when the event stream is down; null while it is up or was never tried. */
  const offlineSinceMs = ref<number | null>(null);
  /** Version of the server when this page was loaded, and now; different: the page is out of date. */
  const serverVersion = ref<string | null>(null);
  const updateAvailable = ref(false);
  /** Since when the states of agents may be old, for the cluster does not answer; null while they are not. */
  const staleSince = ref<string | null>(null);
  /** Signed out in this tab by the person; else it was done to them, and they may want to go on where they were. */
  const leftByChoice = ref(false);
  const agents = useAgentsStore();
  const capabilities = useCapabilitiesStore();
  let hub: EventHub | null = null;

  const isAdmin = computed(() => user.value?.role === 'admin');

  const onHello = ({ version, staleSince: since }: Hello): void => {
    staleSince.value = since;
    if (serverVersion.value !== null && serverVersion.value !== version) updateAvailable.value = true;
    serverVersion.value ??= version;
  };

  const leave = (): void => {
    hub?.stop();
    hub = null;
    user.value = null;
    offlineSinceMs.value = null;
    agents.reset();
    capabilities.reset();
  };

  const onEvent = (event: ServerEvent): void => {
    if (event.type === 'hello') onHello(event);
    else if (event.type === 'account') user.value = event.user;
    else if (event.type === 'signed-out') credentials.clear();
    else agents.apply(event);
  };

  const enter = ({ user: next, lastEventId }: SignedIn): void => {
    if (user.value?.id === next.id) {
      user.value = next;
      return;
    }
    leave();
    leftByChoice.value = false;
    user.value = next;
    hub = new EventHub(next.id, {
      lastEventId,
      lock: browserLock,
      openChannel: (name) => new BroadcastChannel(name),
      openStream: openEventStream,
      onEvent,
      onLink: (state) => {
        link.value = state;
        offlineSinceMs.value =
          state.phase === 'open'
            ? null
            : state.phase === 'waiting'
              ? (offlineSinceMs.value ?? Date.now())
              : offlineSinceMs.value;
      },
    });
    void agents.load();
    void capabilities.ensure();
  };

  credentials.onSignedIn(enter);
  credentials.onSignedOut(leave);
  globalThis.addEventListener('online', () => hub?.retryNow());

  /** Signs in from what this browser remembers. False when somebody must sign in; rejects when the server cannot be reached. */
  const resume = async (): Promise<boolean> => {
    if (user.value) return true;
    if (!credentials.mayRefresh) return false;
    await credentials.token().catch((error: unknown) => {
      if (credentials.mayRefresh) throw error;
    });
    return user.value !== null;
  };

  /** Ends this browser session; forgets it here even when the server cannot be told. */
  const signOut = async (): Promise<void> => {
    try {
      await api.call('signOut', {}, { timeoutMs: 5_000 });
    } finally {
      leftByChoice.value = true;
      credentials.clear();
    }
  };

  const signOutEverywhere = async (): Promise<void> => {
    await api.call('signOutEverywhere');
    leftByChoice.value = true;
    credentials.clear();
  };

  return {
    user,
    link,
    offlineSinceMs,
    isAdmin,
    updateAvailable,
    staleSince,
    leftByChoice,
    resume,
    accept: (signedIn: SignedIn): void => void credentials.accept(signedIn),
    signOut,
    signOutEverywhere,
    setUser: (next: User): void => {
      user.value = next;
    },
    retryNow: (): void => hub?.retryNow(),
  };
});
