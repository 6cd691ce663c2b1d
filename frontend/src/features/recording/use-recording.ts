import type { RecordingList } from '@sac/contracts';
import { onScopeDispose, ref, shallowRef } from 'vue';
import { api } from '../../api/client.ts';
import { parseSegment, type Segment } from './cast.ts';
import { RecordConnection, RecordError } from './record-connection.ts';

/** The address in a ticket is relative to the page; a socket wants a whole one. */
const socketAddress = (path: string): string => {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
};

/** The record of one terminal of a sandbox that runs; ends its connection with the scope. */
export const useRecording = (sessionId: string, terminal: string) => {
  const list = shallowRef<RecordingList | null>(null);
  const error = shallowRef<unknown>(null);
  const loading = ref(false);
  const connection = new RecordConnection(async (signal) => {
    const call = { params: { sessionId, name: terminal }, body: { mode: 'view' as const } };
    return socketAddress((await api.call('createTicket', call, { signal })).url);
  });
  onScopeDispose(() => connection.close());

  /** Also the "try again"; asks for what has been recorded since. */
  const refresh = async (): Promise<void> => {
    loading.value = true;
    error.value = null;
    try {
      list.value = await connection.list();
    } catch (cause) {
      error.value = cause;
    } finally {
      loading.value = false;
    }
  };
  const load = async (id: number): Promise<Segment> => {
    const listed = list.value?.segments.find((segment) => segment.id === id);
    if (listed === undefined) throw new RecordError('gone', `segment ${id} is not listed`);
    const segment = parseSegment(await connection.read(listed));
    if (segment === null) throw new RecordError('unreadable', `segment ${id} is not an asciicast file`);
    return segment;
  };
  return { list, error, loading, refresh, load };
};
