import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { podFiles, podPaths, type PodConfiguration } from '@sac/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentRun } from './agent.ts';
import { readSidecarConfig, type PodPlaces } from './configuration.ts';
import { failureOf, leaveMessage, variableOf } from './message.ts';
import { preparePod } from './prepare.ts';
import { targetOf } from './sidecar.ts';

let directory = '';
let places: PodPlaces;

const configuration: PodConfiguration = {
  agentUid: 'a-1',
  generation: 3,
  specHash: 'digest',
  agentName: 'Ada\n[core]\n\tpager = evil',
  cli: 'claude-code',
  permissionMode: 'default',
  instructions: 'Be brief.',
  provider: {
    preset: 'custom',
    protocol: 'anthropic',
    baseUrl: 'http://models.example',
    models: { main: 'm', strong: null, small: null },
  },
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  recording: { isOn: true, totalBytes: 16 * 1024 * 1024 },
};

const writeSecret = (changes: Partial<PodConfiguration> = {}): void => {
  writeFileSync(join(places.secrets, podFiles.configuration), JSON.stringify({ ...configuration, ...changes }));
  writeFileSync(join(places.secrets, podFiles.environment), JSON.stringify([{ name: 'STAGE', value: 'test' }]));
  writeFileSync(join(places.secrets, podFiles.providerToken), 'provider-token');
  writeFileSync(join(places.secrets, podFiles.terminalKey), 'k'.repeat(43));
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sac-pod-'));
  const entries = Object.entries(podPaths).map(([name, path]) => [name, join(directory, path)]);
  places = Object.fromEntries(entries) as unknown as PodPlaces;
  for (const folder of [places.secrets, places.home, places.workspace, places.state, places.inside, places.temporary])
    mkdirSync(folder, { recursive: true });
  writeSecret();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const text = (path: string): string => readFileSync(path, 'utf8');

/** What the sidecar does before it listens. */
const prepare = async (generation = '3'): Promise<void> => preparePod(await readSidecarConfig(places, generation));
const sidecarListens = (): void => writeFileSync(`${places.inside}/hooks.sock`, '');

describe('the preparation of a pod', () => {
  it('makes folders and settings, and the same again, without a secret', async () => {
    for (const secret of [podFiles.environment, podFiles.providerToken, podFiles.terminalKey])
      rmSync(join(places.secrets, secret));
    await prepare();
    const settings = text(`${places.inside}/claude-settings.json`);
    expect(settings).toContain(`${places.run}/inside/hooks.sock`);
    expect(settings).toContain(`${places.programs}/hook.js`);
    expect(text(`${places.inside}/gitconfig`).match(/^\[/gm)).toHaveLength(2);
    expect(statSync(places.shared).mode & 0o777).toBe(0o755);
    await prepare();
    expect(text(`${places.inside}/claude-settings.json`)).toBe(settings);
  });

  it('refuses the Secret of another start', async () => {
    await expect(prepare('4')).rejects.toMatchObject({ failure: { code: 'generation_replaced' } });
  });

  it('refuses a Secret that says something else', async () => {
    writeSecret({ cli: 'emacs' as never });
    await expect(prepare()).rejects.toThrow();
  });
});

describe('the container of the agent', () => {
  it.each([
    ['claude-code', 'claude.exe'],
    ['codex', 'codex.js'],
  ] as const)('says that its image does not have the program of %s', async (cli, program) => {
    writeSecret({ cli });
    mkdirSync(join(places.node, '..'), { recursive: true });
    writeFileSync(places.node, '');
    await expect(agentRun(places, '3')).rejects.toMatchObject({
      failure: { code: 'cli_missing', reason: expect.stringContaining(program) },
    });
  });

  it('waits until the pod is prepared, then runs what the profile says, with the secrets in the terminals alone', async () => {
    const cli = `${places.cli}/node_modules/@anthropic-ai/claude-code/bin`;
    mkdirSync(cli, { recursive: true });
    writeFileSync(`${cli}/claude.exe`, '');
    const running = agentRun(places, '3');
    await delay(200);
    expect(existsSync(`${places.home}/.claude`)).toBe(false);
    await prepare();
    sidecarListens();
    const { spec, controlListen, terminalListen } = await running;
    expect(spec.main.env).toMatchObject({ STAGE: 'test', ANTHROPIC_AUTH_TOKEN: 'provider-token', HOME: places.home });
    expect(spec.main.env).toMatchObject({ XDG_RUNTIME_DIR: places.runtime });
    expect(spec.terminalKey).toBe('k'.repeat(43));
    expect(spec.main.resume?.idFile).toBe(`${places.shared}/conversation`);
    expect(controlListen.path).toBe(`${places.run}/control.sock`);
    expect(terminalListen).toEqual({ host: '0.0.0.0', port: 7681 });
    await agentRun(places, '3');
    expect(statSync(places.runtime).mode & 0o777).toBe(0o700);
    expect(text(`${places.home}/.claude/CLAUDE.md`).match(/Be brief\./g)).toHaveLength(1);
  });
});

describe('messages of containers', () => {
  it('stay JSON within what Kubernetes keeps', () => {
    const path = join(directory, 'message');
    leaveMessage(path, { failure: { code: 'x', reason: 'r'.repeat(9_000), fix: 'ü'.repeat(9_000), output: null } });
    expect(text(path).length).toBeLessThan(4_096);
    expect(JSON.parse(text(path))).toMatchObject({ failure: { code: 'x' } });
  });

  it('name a full volume and an unset variable', () => {
    expect(failureOf(Object.assign(new Error('x'), { code: 'ENOSPC' })).code).toBe('storage_full');
    expect(() => variableOf({}, 'SAC_GENERATION')).toThrow('SAC_GENERATION');
  });
});

describe('the address of the gateway', () => {
  it.each([
    ['http://gateway.sac.svc:8082', { host: 'gateway.sac.svc', port: 8082 }],
    ['http://[fd00::1]:8082', { host: 'fd00::1', port: 8082 }],
    ['http://gateway', { host: 'gateway', port: 80 }],
  ])('%s', (url, target) => expect(targetOf(url)).toEqual(target));

  it.each(['', 'gateway:8082', 'https://gateway', 'ftp://gateway'])('%j is none', (url) =>
    expect(() => targetOf(url)).toThrow('SAC_INTERNAL_URL'),
  );
});
