import { describe, expect, it } from 'vitest';
import { cliNames } from './clis.ts';
import { providerPresets } from './provider-presets.ts';
import { cliProtocols, providerProtocols } from './providers.ts';

describe('provider presets', () => {
  it('are the ones people ask for, each once', () => {
    const ids = providerPresets.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        'anthropic',
        'openrouter',
        'glm',
        'glm-cn',
        'qwen',
        'qwen-cn',
        'kimi',
        'kimi-cn',
        'openai',
        'gemini',
      ]),
    );
    // These two are no presets: the person gives the address, or the server has it.
    expect(ids).not.toContain('custom');
    expect(ids).not.toContain('demo');
  });

  it.each(providerPresets.flatMap((preset) => preset.endpoints.map((endpoint) => ({ id: preset.id, ...endpoint }))))(
    '$id, $protocol: an address and its source that can be used as they are',
    ({ protocol, baseUrl, source, models }) => {
      expect(providerProtocols).toContain(protocol);
      for (const address of [baseUrl, source]) expect(address).toMatch(/^https:\/\/[a-z0-9.-]+(\/[\w./-]*)?$/);
      expect(baseUrl.endsWith('/')).toBe(false);
      // Claude Code and Gemini CLI add the version themselves; Codex adds only the last part of the path.
      expect(/\/v\d\w*$/.test(baseUrl)).toBe(protocol === 'openai-responses');
      for (const name of Object.values(models)) expect(name ?? 'x').toMatch(/^\S{1,200}$/);
    },
  );

  it('have no protocol twice', () => {
    for (const { endpoints } of providerPresets)
      expect(new Set(endpoints.map(({ protocol }) => protocol)).size).toBe(endpoints.length);
  });

  it('leave no CLI with a model without a preset', () => {
    for (const cli of cliNames.filter((name) => name !== 'shell'))
      expect(
        providerPresets.some(({ endpoints }) => endpoints.some(({ protocol }) => cliProtocols[cli].includes(protocol))),
        cli,
      ).toBe(true);
  });
});
