import type { ProviderProtocol } from '@sac/contracts';
import { HOOK_SOCKET_VARIABLE } from '../hooks/tell.ts';
import { cliFile, type CliProfile, type PreparedCli, type ProfileSpec } from './profile.ts';

const TOKEN_VARIABLE = 'SAC_PROVIDER_TOKEN';

/** Drivers that come with the CLI, and what each expects after the provider's base URL. */
const drivers: Record<ProviderProtocol, { readonly npm: string; readonly version: string }> = {
  anthropic: { npm: '@ai-sdk/anthropic', version: '/v1' },
  'openai-responses': { npm: '@ai-sdk/openai', version: '/v1' },
  gemini: { npm: '@ai-sdk/google', version: '/v1beta' },
};

const withVersion = (baseUrl: string, version: string): string => {
  const trimmed = baseUrl.replace(/\/+$/, '');
  return /\/v\d+(beta)?$/.test(trimmed) ? trimmed : trimmed + version;
};

const permissions = {
  default: { edit: 'ask', bash: 'ask', webfetch: 'ask' },
  acceptEdits: { edit: 'allow', bash: 'ask', webfetch: 'ask' },
  bypass: { edit: 'allow', bash: 'allow', webfetch: 'allow' },
} as const;

const providerConfig = ({ provider }: ProfileSpec) => {
  if (provider === null) return {};
  const { npm, version } = drivers[provider.protocol];
  const { main, strong, small } = provider.models;
  const names = [...new Set([main, strong, small].filter((name) => name !== null))];
  const apiKey = `{env:${TOKEN_VARIABLE}}`;
  const models = Object.fromEntries(names.map((name) => [name, { name }]));
  const first = main ?? strong;
  return {
    ...(first === null ? {} : { model: `sac/${first}`, small_model: `sac/${small ?? first}` }),
    provider: {
      sac: {
        npm,
        name: 'Configured provider',
        options: { baseURL: withVersion(provider.baseUrl, version), apiKey },
        models,
      },
    },
  };
};

/**
 * With plugins, every start installs this package from npm into `~/.config/opencode` and waits for it: seconds of
 * work, and minutes without a network. Our plugins need nothing of it, so the folder says that it is there.
 */
const PLUGIN_TYPES = { '@opencode-ai/plugin': '1.18.33' };
const settled: PreparedCli['seed'] = [
  {
    kind: 'json-merge',
    path: '.config/opencode/package-lock.json',
    members: { packages: { '': { dependencies: PLUGIN_TYPES } } },
  },
  { kind: 'text', path: '.config/opencode/node_modules/.settled', content: 'See package-lock.json.' },
];

export const opencode: CliProfile = {
  prepare(spec, paths): PreparedCli {
    const plugin = (name: string): string => `file://${new URL(`${name}.js`, `file://${paths.hookScript}`).pathname}`;
    const config = {
      plugin: [plugin('opencode-activity')],
      autoupdate: false,
      share: 'disabled',
      permission: permissions[spec.permissionMode],
      ...providerConfig(spec),
    };
    return {
      command: cliFile(paths, 'opencode-ai/bin/opencode.exe'),
      args: [],
      env: {
        OPENCODE_CONFIG: `${paths.run}/opencode.json`,
        OPENCODE_TUI_CONFIG: `${paths.run}/opencode-tui.json`,
        [HOOK_SOCKET_VARIABLE]: `${paths.run}/hooks.sock`,
        OPENCODE_DISABLE_AUTOUPDATE: '1',
        // Its model list comes from the internet and delays the start where there is none; the models are configured.
        OPENCODE_DISABLE_MODELS_FETCH: '1',
        [TOKEN_VARIABLE]: spec.providerToken ?? 'none',
      },
      resumeArgs: ['--session', '{id}'],
      seed: [{ kind: 'section', path: '.config/opencode/AGENTS.md', content: spec.instructions }, ...settled],
      runFiles: [
        { name: 'opencode.json', content: JSON.stringify(config) },
        { name: 'opencode-tui.json', content: JSON.stringify({ plugin: [plugin('opencode-ready')] }) },
      ],
      activity: 'hooks',
    };
  },
};
