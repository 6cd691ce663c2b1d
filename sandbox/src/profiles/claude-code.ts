import {
  cliFile,
  hookCommand,
  type CliProfile,
  type PreparedCli,
  type ProfilePaths,
  type ProfileSpec,
} from './profile.ts';

/**
 * Only events that the pinned version knows: an unknown name opens a blocking "Settings Warning" dialog.
 * The set is the smallest that tells working, waiting and idle apart.
 */
const hookEvents = [
  'SessionStart',
  'SessionEnd',
  'UserPromptSubmit',
  'PreToolUse',
  'PostToolUse',
  'PostToolUseFailure',
  'PermissionRequest',
  'Notification',
  'SubagentStart',
  'SubagentStop',
  'Stop',
  'StopFailure',
] as const;
/** Seconds after which the CLI gives up on a hook; a hook takes milliseconds and ends itself after 10 s. */
const HOOK_TIMEOUT_SECONDS = 15;

const permissionModes = { default: 'default', acceptEdits: 'acceptEdits', bypass: 'bypassPermissions' } as const;

/**
 * Given with `--settings`, from a folder the agent cannot write: it stands above the user's own settings,
 * so `~/.claude/settings.json` stays entirely the CLI's and the user's.
 */
const settings = (spec: ProfileSpec, paths: ProfilePaths) => {
  const command = hookCommand(paths, 'claude-code');
  const hook = [{ hooks: [{ type: 'command', command, timeout: HOOK_TIMEOUT_SECONDS }] }];
  return {
    tui: 'default',
    skipDangerousModePermissionPrompt: true,
    permissions: { defaultMode: permissionModes[spec.permissionMode], disableAutoMode: 'disable' },
    hooks: Object.fromEntries(hookEvents.map((event) => [event, hook])),
  };
};

const providerEnvironment = ({ provider, providerToken }: ProfileSpec): Record<string, string> => {
  if (provider === null) return {};
  const { main, strong, small } = provider.models;
  return {
    ANTHROPIC_BASE_URL: provider.baseUrl,
    // A token instead of an API key: with a key the terminal asks whether to use it.
    ...(providerToken === null ? {} : { ANTHROPIC_AUTH_TOKEN: providerToken }),
    ...(main === null ? {} : { ANTHROPIC_MODEL: main, ANTHROPIC_DEFAULT_SONNET_MODEL: main }),
    ...((strong ?? main) === null ? {} : { ANTHROPIC_DEFAULT_OPUS_MODEL: String(strong ?? main) }),
    ...((small ?? main) === null ? {} : { ANTHROPIC_DEFAULT_HAIKU_MODEL: String(small ?? main) }),
  };
};

export const claudeCode: CliProfile = {
  prepare(spec, paths): PreparedCli {
    return {
      command: cliFile(paths, '@anthropic-ai/claude-code/bin/claude.exe'),
      args: ['--settings', `${paths.run}/claude-settings.json`],
      env: {
        ...providerEnvironment(spec),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        CLAUDE_CODE_TMPDIR: paths.temporary,
        // Without it the CLI refuses bypass mode when the sandbox's user is root (no bubblewrap, server run by root).
        IS_SANDBOX: '1',
      },
      resumeArgs: ['--resume', '{id}'],
      seed: [
        {
          kind: 'json-merge',
          path: '.claude.json',
          members: {
            hasCompletedOnboarding: true,
            hasSeenAutoDefaultNudge: true,
            hasSeenAutoDefaultNotice: true,
            projects: { [paths.workspace]: { hasTrustDialogAccepted: true } },
          },
        },
        { kind: 'section', path: '.claude/CLAUDE.md', content: spec.instructions },
      ],
      runFiles: [{ name: 'claude-settings.json', content: JSON.stringify(settings(spec, paths)) }],
      activity: 'claude',
    };
  },
};
