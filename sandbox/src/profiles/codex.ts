import {
  cliFile,
  hookCommand,
  type CliProfile,
  type PreparedCli,
  type ProfilePaths,
  type ProfileSpec,
} from './profile.ts';

const hookEvents = [
  'SessionStart',
  'SessionEnd',
  'UserPromptSubmit',
  'PreToolUse',
  'PostToolUse',
  'PermissionRequest',
  'Stop',
] as const;
/** Name of the variable that holds the provider token; only its name stands on the command line. */
const TOKEN_VARIABLE = 'SAC_PROVIDER_TOKEN';

/** A JSON string is a valid TOML basic string. */
const toml = (text: string): string => JSON.stringify(text);

const permissionArgs = {
  // Reading is free; everything else needs a sandbox it has not got, so it asks.
  default: ['-c', 'approval_policy="on-request"', '-c', 'sandbox_mode="read-only"'],
  acceptEdits: ['-c', 'approval_policy="on-request"', '-c', 'sandbox_mode="workspace-write"'],
  bypass: ['--dangerously-bypass-approvals-and-sandbox'],
} as const;

const providerArgs = ({ provider, providerToken }: ProfileSpec): string[] => {
  if (provider === null) return [];
  const key = providerToken === null ? '' : `,env_key=${toml(TOKEN_VARIABLE)}`;
  const settings = `{name="sac",base_url=${toml(provider.baseUrl)},wire_api="responses"${key}}`;
  const model = provider.models.main ?? provider.models.strong;
  return [
    '-c',
    'model_provider="sac"',
    '-c',
    `model_providers.sac=${settings}`,
    ...(model === null ? [] : ['-c', `model=${toml(model)}`]),
  ];
};

const hookArgs = (paths: ProfilePaths): string[] => {
  const hook = `[{hooks=[{type="command",command=${toml(hookCommand(paths, 'codex'))},timeout=15}]}]`;
  return hookEvents.flatMap((event) => ['-c', `hooks.${event}=${hook}`]);
};

/**
 * Everything is given as overrides on the command line: `config.toml` then belongs to the CLI, which writes
 * its own notes into it.
 */
export const codex: CliProfile = {
  prepare(spec, paths): PreparedCli {
    return {
      command: paths.nodePath,
      args: [
        cliFile(paths, '@openai/codex/bin/codex.js'),
        // The inline renderer keeps scrollback and search working.
        '--no-alt-screen',
        // Else a background server outlives the terminal and keeps a 400 MB copy of itself in the home.
        '--disable',
        'daemon_auto_start',
        // The hooks are ours, given here and not in a file the agent could have written.
        '--dangerously-bypass-hook-trust',
        '-c',
        'check_for_update_on_startup=false',
        // With analytics and no network every run waits five seconds at its end.
        '-c',
        'analytics.enabled=false',
        '-c',
        `projects={${toml(paths.workspace)}={trust_level="trusted"}}`,
        ...permissionArgs[spec.permissionMode],
        ...providerArgs(spec),
        ...hookArgs(paths),
      ],
      env: spec.providerToken === null ? {} : { [TOKEN_VARIABLE]: spec.providerToken },
      resumeArgs: ['resume', '{id}'],
      seed: [{ kind: 'section', path: '.codex/AGENTS.md', content: spec.instructions }],
      runFiles: [],
      activity: 'quiet-hooks',
    };
  },
};
