import { mount } from '@vue/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineComponent, shallowRef } from 'vue';
import type { Session } from '@sac/contracts';
import { api } from '../../api/client.ts';
import { PRESENCE_INTERVAL_MS, usePresence } from './use-presence.ts';

const time = '2026-05-05T12:00:00.000Z';
const session = shallowRef<Session | null>(null);
const call = vi.spyOn(api, 'call').mockResolvedValue(undefined as never);
const page = defineComponent({
  setup: () => usePresence(() => session.value),
  template: '<i />',
});
const see = (visibility: DocumentVisibilityState) =>
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(visibility);
const use = (kind: string) => window.dispatchEvent(new Event(kind));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  call.mockClear();
  session.value = { id: '7', agentId: '1', openedAt: time, lastActiveAt: time };
});
afterEach(() => {
  vi.useRealTimers();
  vi.mocked(call).mockClear();
});

describe('presence', () => {
  it('is told when the page is used, once a minute, and not when it is only open', () => {
    see('visible');
    const mounted = mount(page);
    vi.advanceTimersByTime(10 * PRESENCE_INTERVAL_MS);
    expect(call).not.toHaveBeenCalled();
    use('keydown');
    use('pointermove');
    expect(call).toHaveBeenCalledExactlyOnceWith('notePresence', { params: { sessionId: '7' }, body: {} });
    vi.advanceTimersByTime(PRESENCE_INTERVAL_MS);
    use('wheel');
    expect(call).toHaveBeenCalledTimes(2);
    mounted.unmount();
    vi.advanceTimersByTime(PRESENCE_INTERVAL_MS);
    use('keydown');
    expect(call).toHaveBeenCalledTimes(2);
  });

  it('is not told from a page that nobody sees, or that has no session', () => {
    const mounted = mount(page);
    see('hidden');
    use('pointermove');
    see('visible');
    session.value = null;
    use('keydown');
    expect(call).not.toHaveBeenCalled();
    mounted.unmount();
  });
});
