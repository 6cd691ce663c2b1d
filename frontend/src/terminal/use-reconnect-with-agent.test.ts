import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { effectScope, nextTick, shallowRef } from 'vue';
import { useAgentsStore } from '../stores/agents.ts';
import { agentFixture } from '../testing/agent-fixture.ts';
import { initialStatus, type TerminalStatus } from './status.ts';
import { useReconnectWithAgent } from './use-reconnect-with-agent.ts';

let scope: ReturnType<typeof effectScope>;
let reconnects: number;
const status = shallowRef<TerminalStatus>(initialStatus);

const agentIs = async (state: 'failed' | 'starting' | 'ready', reachable: boolean): Promise<void> => {
  const agent = agentFixture({ state, reachable });
  useAgentsStore().apply({ type: 'agent', agent: { ...agent, revision: (revision += 1) } });
  await nextTick();
};
let revision = 100;
const refusedAs = async (code: string): Promise<void> => {
  status.value = { ...initialStatus, phase: 'refused', refusal: { code, message: '', requestId: '' } };
  await nextTick();
};

beforeEach(() => {
  vi.useFakeTimers();
  setActivePinia(createPinia());
  reconnects = 0;
  status.value = { ...initialStatus, phase: 'opening' };
  scope = effectScope();
  scope.run(() =>
    useReconnectWithAgent({
      agentId: agentFixture().id,
      terminal: 'main',
      status,
      reconnect: () => {
        reconnects += 1;
        status.value = { ...initialStatus, phase: 'opening' };
      },
    }),
  );
});
afterEach(() => {
  scope.stop();
  vi.useRealTimers();
});

describe('a terminal of an agent that cannot be reached', () => {
  it('asks for nothing until the agent can be, and then at once', async () => {
    await agentIs('failed', false);
    await refusedAs('not_ready');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(reconnects).toBe(0);
    await agentIs('starting', false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reconnects).toBe(0);
    await agentIs('starting', true);
    expect(reconnects).toBe(1);
  });

  it('asks again soon, and less often with time, where only the server does not know it yet', async () => {
    await agentIs('ready', true);
    await refusedAs('not_ready');
    await vi.advanceTimersByTimeAsync(1_500);
    expect(reconnects).toBe(1);
    for (let times = 0; times < 20; times += 1) {
      await refusedAs('not_ready');
      await vi.advanceTimersByTimeAsync(30_000);
    }
    expect(reconnects).toBe(21);
    await refusedAs('not_ready');
    await vi.advanceTimersByTimeAsync(500);
    expect(reconnects).toBe(21);
    await agentIs('failed', false);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(reconnects).toBe(21);
  });
});
