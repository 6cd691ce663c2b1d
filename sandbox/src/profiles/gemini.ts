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
  'BeforeAgent',
  'BeforeTool',
  'AfterTool',
  'AfterAgent',
  'Notification',
] as const;
const HOOK_TIMEOUT_MS = 15_000;
const approvalModes = { default: 'default', acceptEdits: 'auto_edit', bypass: 'yolo' } as const;

/** System settings stand above the user's, so the CLI's own file is left alone. */
const settings = (paths: ProfilePaths) => {
  const hook = [
    {
      hooks: [
        { type: 'command', name: 'sac-activity', command: hookCommand(paths, 'gemini'), timeout: HOOK_TIMEOUT_MS },
      ],
    },
  ];
  return {
    security: { auth: { selectedType: 'gemini-api-key' }, folderTrust: { enabled: false } },
    privacy: { usageStatisticsEnabled: false },
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
    hooks: Object.fromEntries(hookEvents.map((event) => [event, hook])),
  };
};

const modelArgs = ({ provider }: ProfileSpec): string[] => {
  const model = provider?.models.main ?? provider?.models.strong ?? null;
  return model === null ? [] : ['--model', model];
};

export const gemini: CliProfile = {
  prepare(spec, paths): PreparedCli {
    return {
      command: paths.nodePath,
      args: [
        cliFile(paths, '@google/gemini-cli/bundle/gemini.js'),
        '--approval-mode',
        approvalModes[spec.permissionMode],
        ...modelArgs(spec),
      ],
      env: {
        ...(spec.provider === null ? {} : { GOOGLE_GEMINI_BASE_URL: spec.provider.baseUrl }),
        // Without a key it asks how to sign in; providers without one ignore the value.
        GEMINI_API_KEY: spec.providerToken ?? 'none',
        GEMINI_CLI_SYSTEM_SETTINGS_PATH: `${paths.run}/gemini-settings.json`,
      },
      resumeArgs: ['--resume', '{id}'],
      seed: [{ kind: 'section', path: '.gemini/GEMINI.md', content: spec.instructions }],
      runFiles: [{ name: 'gemini-settings.json', content: JSON.stringify(settings(paths)) }],
      activity: 'hooks',
    };
  },
};
