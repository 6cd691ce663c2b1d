import type { CliName } from './clis.ts';

/** Wire protocols a CLI can speak to a model provider. */
export const providerProtocols = ['anthropic', 'openai-responses', 'gemini'] as const;
export type ProviderProtocol = (typeof providerProtocols)[number];

/** Protocols each CLI profile can be configured for; the shell talks to nobody. */
export const cliProtocols: Record<CliName, readonly ProviderProtocol[]> = {
  'claude-code': ['anthropic'],
  codex: ['openai-responses'],
  gemini: ['gemini'],
  opencode: ['anthropic', 'openai-responses', 'gemini'],
  shell: [],
};

export interface ProviderPreset {
  readonly id: string;
  readonly name: string;
  /** One line under the name. */
  readonly hint: string;
  readonly endpoints: readonly {
    readonly protocol: ProviderProtocol;
    readonly baseUrl: string;
    /** The provider's own page that states this URL. */
    readonly source: string;
    readonly models: { readonly main: string | null; readonly strong: string | null; readonly small: string | null };
  }[];
}
