import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

const context = { version: '1.2.3', homeDir: '/home/ada', interfaceAddresses: ['10.0.0.5', 'fd00::5'] };
const key = 'q83vEjRWeJq83vEjRWeJq83vEjRWeJ0123456789';

const problemsOf = (env: Record<string, string>): Record<string, string> => {
  try {
    loadConfig(env, context);
  } catch (error) {
    if (error instanceof ConfigError) return Object.fromEntries(error.problems.map((p) => [p.variable, p.problem]));
    throw error;
  }
  return {};
};

describe('loadConfig', () => {
  it('needs nothing on one machine', () => {
    const config = loadConfig({ PATH: '/bin' }, context);
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      publicOrigins: ['http://127.0.0.1:8080', 'http://localhost:8080'],
      dataDir: '/home/ada/.sac',
      demo: false,
      keys: null,
      databaseUrl: null,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('offers every address of the machine when it listens on all of them', () => {
    const { publicOrigins } = loadConfig({ SAC_HOST: '0.0.0.0', SAC_PORT: '80' }, context);
    expect(publicOrigins).toEqual(['http://127.0.0.1', 'http://10.0.0.5', 'http://[fd00::5]', 'http://localhost']);
  });

  it('reports every problem at once, by variable', () => {
    const problems = problemsOf({
      SAC_PORT: '70000',
      SAC_DEMO: 'yes',
      SAC_LOG_LEVEL: 'loud',
      SAC_DATA_DIR: 'data',
      SAC_PUBLIC_URL: 'https://sac.example.org/path',
      SAC_TRUSTED_PROXIES: '10.0.0.0/99',
      SAC_DATABASE_URL: 'mysql://x',
      SAC_WS_LISTEN: 'nowhere',
      SAC_PROT: '1',
    });
    expect(Object.keys(problems).sort()).toEqual([
      'SAC_DATABASE_URL',
      'SAC_DATA_DIR',
      'SAC_DEMO',
      'SAC_LOG_LEVEL',
      'SAC_PORT',
      'SAC_PROT',
      'SAC_PUBLIC_URL',
      'SAC_TRUSTED_PROXIES',
      'SAC_WS_LISTEN',
    ]);
    expect(problems['SAC_DEMO']).toBe('must be 0 or 1');
    expect(problems['SAC_PROT']).toContain('misspelt');
  });

  it.each(['10.0.0.1/', '0.0.0.0/0', '::/0', '10.0.0.1/ 8', '10.0.0.0/1e1', 'localhost', '10.0.0.0/8/8'])(
    'does not take %j for a trusted proxy',
    (value) =>
      expect(problemsOf({ SAC_TRUSTED_PROXIES: value })['SAC_TRUSTED_PROXIES']).toMatch(/must (hold|not trust)/),
  );

  it('refuses short, guessable and half-given keys without repeating them', () => {
    const short = problemsOf({ SAC_MASTER_KEY: 'tooshort', SAC_ACCESS_TOKEN_KEYS: 'a'.repeat(40) });
    expect(short['SAC_MASTER_KEY']).toMatch(/8 bytes long; at least 32/);
    expect(short['SAC_ACCESS_TOKEN_KEYS']).toMatch(/can be guessed/);
    expect(short['SAC_TERMINAL_TICKET_KEYS']).toMatch(/missing/);
    expect(JSON.stringify(short)).not.toContain('tooshort');
  });

  it('signs with the first key and accepts all', () => {
    const { keys } = loadConfig(
      { SAC_MASTER_KEY: key, SAC_ACCESS_TOKEN_KEYS: `new:${key},old:${key}x`, SAC_TERMINAL_TICKET_KEYS: key },
      context,
    );
    expect(keys?.accessToken.current.kid).toBe('new');
    expect(keys?.accessToken.all.map((entry) => entry.kid)).toEqual(['new', 'old']);
    expect(keys?.terminalTicket.current.kid).toBe('1');
  });

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig({ SAC_PORT: '', SAC_DEMO: '' }, context).listen.port).toBe(8080);
  });
});
