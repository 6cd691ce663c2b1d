import { noPodValues, type Agent, type Capabilities } from '@sac/contracts';

export const agentFixture = (status: Partial<Agent['status']> = {}, more: Partial<Agent> = {}): Agent => ({
  id: '7',
  uid: 'u7',
  name: 'Docs site',
  icon: 'book',
  description: '',
  instructions: 'Be brief.',
  cli: 'claude-code',
  permissionMode: 'default',
  provider: {
    preset: 'anthropic',
    protocol: 'anthropic',
    baseUrl: 'https://api.anthropic.com',
    models: { main: 'm', strong: null, small: null },
  },
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [],
  hasProviderToken: true,
  idleMinutes: null,
  recordingMegabytes: null,
  pod: noPodValues,
  keepAwakeUntil: null,
  generation: 1,
  revision: 1,
  status: {
    state: 'ready',
    since: '2026-11-21T12:00:00Z',
    activity: null,
    phases: [],
    failure: null,
    reachable: !['asleep', 'starting', 'stopping'].includes(status.state ?? 'ready'),
    restartRequired: false,
    isolated: true,
    ...status,
  },
  createdAt: '2026-11-21T12:00:00Z',
  updatedAt: '2026-11-21T12:00:00Z',
  lastActiveAt: '2026-11-21T12:00:00Z',
  ...more,
});

export const capabilitiesFixture: Capabilities = {
  clis: [
    { name: 'claude-code', title: 'Claude Code', version: '2.1.329', installed: true, note: null },
    { name: 'shell', title: 'Shell', version: null, installed: true, note: null },
  ],
  presets: [
    {
      id: 'anthropic',
      name: 'Anthropic',
      hint: 'Your own API key',
      endpoints: [
        {
          protocol: 'anthropic',
          baseUrl: 'https://api.anthropic.com',
          source: 'https://docs.anthropic.com',
          models: { main: 'm', strong: 's', small: 'x' },
        },
      ],
    },
  ],
  demo: false,
  runtime: 'local',
  pod: null,
  idleMinutes: 0,
  recordingMegabytes: 16,
  isolation: { isolated: true, reason: null, fix: null, usersMayRun: true },
};
