import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';
import type { ProcessName } from './environment.ts';

const context = { version: '1.2.3', homeDir: '/home/ada', interfaceAddresses: ['10.0.0.5', 'fd00::5'] };
const key = 'q83vEjRWeJq83vEjRWeJq83vEjRWeJ0123456789';

const problemsOf = (env: Record<string, string>, process: ProcessName = 'sac'): Record<string, string> => {
  try {
    loadConfig(env, { ...context, process });
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

const cluster = {
  SAC_DATABASE_URL: 'postgres://sac@db/sac',
  SAC_MASTER_KEY: key,
  SAC_ACCESS_TOKEN_KEYS: key,
  SAC_TERMINAL_TICKET_KEYS: key,
  SAC_WS_PROXY_CREDENTIAL: `${key}new,${key}old`,
  SAC_PUBLIC_URL: 'https://sac.example.org',
  SAC_INTERNAL_URL: 'http://sac-api-gateway-internal.sac.svc:8082',
  SAC_KUBERNETES_NAMESPACES: 'sac-agents-0, sac-agents-1',
  SAC_INSTALL_ID: 'a1b2',
  SAC_AGENT_IMAGE: 'sac-agent:1.2.3',
};
const gateway = { ...context, process: 'api-gateway' } as const;

describe('loadConfig in a cluster', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sac-config-'));
  afterAll(() => rmSync(dir, { recursive: true }));
  const fileOf = (content: string): string => {
    const path = join(dir, `${content.length}`);
    writeFileSync(path, content);
    return path;
  };

  it('reads what api-gateway needs', () => {
    expect(
      loadConfig({ ...cluster, SAC_AGENT_POD: '{"storageSize":"20Gi"}', SAC_POD_IP: '10.244.0.7' }, gateway),
    ).toMatchObject({
      proxyCredentials: [`${key}new`, `${key}old`],
      cluster: {
        namespaces: ['sac-agents-0', 'sac-agents-1'],
        pod: { storageSize: '20Gi', egress: 'internet' },
        podIp: '10.244.0.7',
        clis: ['claude-code', 'shell'],
      },
      metricsListen: null,
    });
  });

  it.each([
    [
      'api-gateway',
      [
        'SAC_ACCESS_TOKEN_KEYS',
        'SAC_AGENT_IMAGE',
        'SAC_DATABASE_URL',
        'SAC_INSTALL_ID',
        'SAC_INTERNAL_URL',
        'SAC_KUBERNETES_NAMESPACES',
        'SAC_MASTER_KEY',
        'SAC_PUBLIC_URL',
        'SAC_TERMINAL_TICKET_KEYS',
        'SAC_WS_PROXY_CREDENTIAL',
      ],
    ],
    ['ws-proxy', ['SAC_INTERNAL_URL', 'SAC_PUBLIC_URL', 'SAC_TERMINAL_TICKET_KEYS', 'SAC_WS_PROXY_CREDENTIAL']],
    ['migrate', ['SAC_DATABASE_URL']],
  ] as const)('names all that %s misses', (process, names) => {
    const problems = problemsOf({}, process);
    expect(Object.keys(problems).sort()).toEqual(names);
    expect(Object.values(problems).every((problem) => problem.startsWith('is missing: '))).toBe(true);
  });

  it('gives ws-proxy the ticket keys alone', () => {
    const { SAC_TERMINAL_TICKET_KEYS, SAC_WS_PROXY_CREDENTIAL, SAC_PUBLIC_URL, SAC_INTERNAL_URL } = cluster;
    const env = { SAC_TERMINAL_TICKET_KEYS, SAC_WS_PROXY_CREDENTIAL, SAC_PUBLIC_URL, SAC_INTERNAL_URL };
    expect(loadConfig(env, { ...context, process: 'ws-proxy' })).toMatchObject({
      keys: null,
      ticketKeys: { current: { kid: '1' } },
    });
  });

  it('reads secrets from files, and from one place only', () => {
    const env = { ...cluster, SAC_MASTER_KEY: '', SAC_MASTER_KEY_FILE: fileOf(`${key}fromfile\n`) };
    expect(loadConfig(env, gateway).keys?.master.export().toString()).toBe(`${key}fromfile`);
    expect(problemsOf({ ...env, SAC_MASTER_KEY: key }, 'api-gateway')).toEqual({
      SAC_MASTER_KEY: 'is given, and so is SAC_MASTER_KEY_FILE; keep one',
    });
    expect(problemsOf({ ...env, SAC_MASTER_KEY_FILE: join(dir, 'none') }, 'api-gateway')).toEqual({
      SAC_MASTER_KEY_FILE: expect.stringMatching(/cannot be read \(ENOENT\)/),
    });
    expect(problemsOf({ ...env, SAC_MASTER_KEY_FILE: fileOf('x'.repeat(70_000)) }, 'api-gateway')).toEqual({
      SAC_MASTER_KEY_FILE: expect.stringMatching(/larger than 64 KiB/),
    });
    expect(problemsOf({ SAC_PORT_FILE: '/x' })['SAC_PORT_FILE']).toMatch(/misspelt/);
  });

  it('does not take what Kubernetes says about Services for settings', () => {
    const links = {
      SAC_API_GATEWAY_SERVICE_HOST: '10.96.0.7',
      SAC_API_GATEWAY_SERVICE_PORT_PUBLIC: '8080',
      SAC_API_GATEWAY_PORT: 'tcp://10.96.0.7:8080',
      SAC_API_GATEWAY_PORT_8080_TCP: 'tcp://10.96.0.7:8080',
      SAC_PORT: 'tcp://10.96.0.9:80',
    };
    expect(loadConfig({ ...cluster, ...links }, gateway).listen.port).toBe(8080);
  });

  it('keeps the connection test out of private networks unless told otherwise', () => {
    expect(loadConfig(cluster, gateway).outbound.deny).toContain('10.0.0.0/8');
    expect(loadConfig({}, context).outbound.deny).toEqual([]);
    const own = { ...cluster, SAC_OUTBOUND_DENY: '203.0.113.0/24', SAC_OUTBOUND_ALLOW: '10.1.2.3' };
    expect(loadConfig(own, gateway).outbound).toEqual({ deny: ['203.0.113.0/24'], allow: ['10.1.2.3'] });
  });

  it('reads what people may choose for an agent, and the most it may get', () => {
    const given = {
      SAC_AGENT_LIMITS: '{"cpu":"","memory":"8Gi","egress":"proxy"}',
      SAC_AGENT_POD: '{"egress":"none"}',
      SAC_AGENT_IMAGES: 'registry.example/data:2, registry.example/team/*',
      SAC_AGENT_RUNTIME_CLASSES: 'gvisor,kata',
    };
    expect(loadConfig({ ...cluster, ...given }, gateway).cluster).toMatchObject({
      limits: { cpu: null, memory: '8Gi', storage: '200Gi', egress: 'proxy' },
      images: ['registry.example/data:2', 'registry.example/team/*'],
      runtimeClasses: ['gvisor', 'kata'],
    });
    expect(loadConfig(cluster, gateway).cluster?.limits.memory).toBe('64Gi');
  });

  it.each([
    ['SAC_AGENT_LIMITS', '{"memory":"2Gi"}', /2Gi as the most memory, but SAC_AGENT_POD gives every agent 4Gi/],
    ['SAC_AGENT_LIMITS', '{"storage":"1Gi"}', /1Gi as the most storage/],
    ['SAC_AGENT_LIMITS', '{"egress":"proxy"}', /gives every agent "internet"/],
    ['SAC_AGENT_LIMITS', '{"memory":"lots"}', /memory/],
    ['SAC_AGENT_LIMITS', '{"gpu":"1"}', /gpu: there is no such key/],
    ['SAC_AGENT_IMAGES', 'registry.example/*/x', /neither an image/],
    ['SAC_AGENT_IMAGES', '*', /neither an image/],
    ['SAC_AGENT_RUNTIME_CLASSES', 'gVisor!', /RuntimeClass/],
    ['SAC_AGENT_POD', '[]', /must be a JSON object/],
    ['SAC_AGENT_POD', '{', /must be a JSON object/],
    ['SAC_AGENT_POD', '{"hostNetwork":true}', /hostNetwork: there is no such key/],
    ['SAC_AGENT_POD', '{"resources":{"requests":{"memory":"lots"},"limits":{}}}', /requests\/memory/],
    ['SAC_KUBERNETES_NAMESPACES', 'a,b,a', /twice/],
    ['SAC_KUBERNETES_NAMESPACES', 'Sac', /not the name of a namespace/],
    ['SAC_INSTALL_ID', 'UPPER', /lower case/],
    ['SAC_AGENT_CLIS', 'claude', /there are claude-code/],
    ['SAC_POD_IP', 'pod-1', /IP address/],
    ['SAC_INTERNAL_URL', 'sac-internal:8082', /http:\/\//],
    ['SAC_WS_PROXY_CREDENTIAL', 'short', /at least 32/],
    ['SAC_METRICS_LISTEN', '9464', /host:port/],
    ['SAC_OUTBOUND_ALLOW', 'models.internal', /CIDR/],
  ])('refuses %s=%s', (name, value, reason) => {
    const problems = problemsOf({ ...cluster, [name]: value }, 'api-gateway');
    expect(Object.keys(problems)).toEqual([name]);
    expect(problems[name]).toMatch(reason);
  });
});
