import type { Session, Terminal } from '@sac/contracts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { h } from 'vue';
import { useAgentsStore } from '../../stores/agents.ts';
import { judgePaste } from '../../terminal/paste.ts';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { mountPage, answerRequests } from '../../testing/mount-page.ts';
import { runsCli, useAgentTerminals } from './use-agent-terminals.ts';

describe('what runs in a terminal', () => {
  it('is a shell in the first terminal of a shell agent too, so several pasted lines are asked about', () => {
    expect(runsCli({ cli: 'claude-code' }, 'main')).toBe(true);
    expect(runsCli({ cli: 'claude-code' }, 'shell-1')).toBe(false);
    expect(runsCli({ cli: 'shell' }, 'main')).toBe(false);
    const target = { runsCli: runsCli({ cli: 'shell' }, 'main'), bracketedPaste: true };
    expect(judgePaste('rm -r a\nrm -r b', target)).toBe('ask');
  });
});

describe('the terminals of an agent', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it('are asked for anew when news of them were missed', async () => {
    const session: Session = { id: '5', agentId: '7', openedAt: '', lastActiveAt: '' };
    const terminal = (name: string): Terminal => ({ name, title: '', running: true, viewers: 0, exit: null });
    let there = [terminal('main')];
    answerRequests(({ method, path }) =>
      method === 'GET' && path === '/api/sessions/5/terminals' ? { body: { terminals: there } } : undefined,
    );
    const tabs = {
      setup: () => {
        const terminals = useAgentTerminals(
          () => agentFixture(),
          () => session,
        );
        return () => h('p', terminals.tabs.value.map(({ name }) => name).join(' '));
      },
    };
    const { page } = await mountPage(tabs, {});
    await vi.waitFor(() => expect(page.text()).toBe('main'));
    there = [terminal('main'), terminal('shell-1')];
    useAgentsStore().apply({ type: 'resync' });
    await vi.waitFor(() => expect(page.text()).toBe('main shell-1'));
    page.unmount();
  });
});
