import type { ResponseOf, Routes } from '@sac/contracts';
import { onScopeDispose, ref, shallowRef } from 'vue';
import { api } from '../../api/client.ts';
import { isAbort } from '../../lib/errors.ts';

export type UserRow = ResponseOf<Routes['listUsers']>['users'][number];

const pageSize = 50;

/** Accounts page by page. The server gives a cursor for the next page; the way back is remembered here. */
export const useUsers = () => {
  const rows = shallowRef<readonly UserRow[] | null>(null);
  const total = ref(0);
  const nextCursor = ref<string | null>(null);
  const pageCursors = ref<string[]>([]);
  const search = ref('');
  const loading = ref(false);
  const error = shallowRef<unknown>(null);
  let current: AbortController | null = null;

  const load = async (): Promise<void> => {
    current?.abort();
    const controller = new AbortController();
    current = controller;
    loading.value = true;
    const cursor = pageCursors.value.at(-1);
    const wanted = search.value.trim();
    try {
      const query = { limit: pageSize, ...(wanted ? { search: wanted } : {}), ...(cursor ? { cursor } : {}) };
      const page = await api.call('listUsers', { query }, { signal: controller.signal });
      rows.value = page.users;
      total.value = page.total;
      nextCursor.value = page.nextCursor;
      error.value = null;
    } catch (cause) {
      if (!isAbort(cause)) error.value = cause;
    } finally {
      if (current === controller) loading.value = false;
    }
  };

  const find = (text: string): Promise<void> => {
    search.value = text;
    pageCursors.value = [];
    return load();
  };
  const next = (): void => {
    if (nextCursor.value === null) return;
    pageCursors.value = [...pageCursors.value, nextCursor.value];
    void load();
  };
  const previous = (): void => {
    pageCursors.value = pageCursors.value.slice(0, -1);
    void load();
  };
  /** Puts a changed account in its row without loading the page anew. */
  const patch = (changed: Omit<UserRow, 'agentCount'>): void => {
    rows.value = (rows.value ?? []).map((row) => (row.id === changed.id ? { ...row, ...changed } : row));
  };
  /** 1-based numbers of the first and last row shown. */
  const range = (): { first: number; last: number } => {
    const first = pageCursors.value.length * pageSize + 1;
    return { first, last: first + (rows.value?.length ?? 0) - 1 };
  };
  onScopeDispose(() => current?.abort());
  return { rows, total, nextCursor, pageCursors, loading, error, load, find, next, previous, patch, range };
};
