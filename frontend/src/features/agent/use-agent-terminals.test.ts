import { describe, expect, it } from 'vitest';
import { judgePaste } from '../../terminal/paste.ts';
import { runsCli } from './use-agent-terminals.ts';

describe('what runs in a terminal', () => {
  it('is a shell in the first terminal of a shell agent too, so several pasted lines are asked about', () => {
    expect(runsCli({ cli: 'claude-code' }, 'main')).toBe(true);
    expect(runsCli({ cli: 'claude-code' }, 'shell-1')).toBe(false);
    expect(runsCli({ cli: 'shell' }, 'main')).toBe(false);
    const target = { runsCli: runsCli({ cli: 'shell' }, 'main'), bracketedPaste: true };
    expect(judgePaste('rm -r a\nrm -r b', target)).toBe('ask');
  });
});
