import type { CliInfo, CliName } from '@sac/contracts';

export type InstallableCli = Exclude<CliName, 'shell'>;

export interface CliPin {
  readonly title: string;
  readonly packageName: string;
  readonly version: string;
  /** Bytes on disk when installed, measured on x86-64 Linux; the total of the progress shown. */
  readonly installedBytes: number;
  /** What the profile starts, below `node_modules`, and its least size: smaller is a stub that an incomplete install left. */
  readonly entry: string;
  readonly minEntryBytes: number;
  /** Command on a search path that leads to `entry`. */
  readonly command: string;
  /** Script below the package that puts the native program in place; npm's own scripts stay off. */
  readonly finishScript: string | null;
  readonly note: string | null;
}

/** Exact versions: profiles, hooks and first-run answers were measured with these. */
export const cliPins: Readonly<Record<InstallableCli, CliPin>> = {
  'claude-code': {
    title: 'Claude Code',
    packageName: '@anthropic-ai/claude-code',
    version: '2.1.329',
    installedBytes: 377_790_000,
    entry: '@anthropic-ai/claude-code/bin/claude.exe',
    minEntryBytes: 1_000_000,
    command: 'claude',
    finishScript: 'install.cjs',
    note: null,
  },
  codex: {
    title: 'Codex',
    packageName: '@openai/codex',
    version: '0.169.0',
    installedBytes: 422_750_000,
    entry: '@openai/codex/bin/codex.js',
    minEntryBytes: 1_000,
    command: 'codex',
    finishScript: null,
    note: 'Needs a provider with the OpenAI Responses protocol.',
  },
  gemini: {
    title: 'Gemini CLI',
    packageName: '@google/gemini-cli',
    version: '0.61.0',
    installedBytes: 102_370_000,
    entry: '@google/gemini-cli/bundle/gemini.js',
    minEntryBytes: 100,
    command: 'gemini',
    finishScript: null,
    note: 'Needs a provider with the Gemini protocol.',
  },
  opencode: {
    title: 'opencode',
    packageName: 'opencode-ai',
    version: '1.18.33',
    installedBytes: 370_760_000,
    entry: 'opencode-ai/bin/opencode.exe',
    minEntryBytes: 1_000_000,
    command: 'opencode',
    finishScript: 'postinstall.mjs',
    note: 'Uses about 1 GB of memory and needs some seconds to start.',
  },
};

export const shellInfo: CliInfo = {
  name: 'shell',
  title: 'Shell',
  version: null,
  installed: true,
  note: 'A login shell without a model.',
};
