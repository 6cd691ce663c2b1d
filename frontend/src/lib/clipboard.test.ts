import { afterEach, describe, expect, it, vi } from 'vitest';
import { readClipboard } from './clipboard.ts';

describe('reading the clipboard', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('gives what it holds', async () => {
    vi.stubGlobal('navigator', { clipboard: { readText: () => Promise.resolve('ls') } });
    expect(await readClipboard()).toBe('ls');
  });

  it.each([
    ['does not exist over plain http', {}],
    ['is refused', { clipboard: { readText: () => Promise.reject(new DOMException('no', 'NotAllowedError')) } }],
  ])('says so when it %s', async (_what, navigator) => {
    vi.stubGlobal('navigator', navigator);
    expect(await readClipboard()).toBeNull();
  });
});
