import { reservedEnvNames } from '@sac/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { agentFixture } from '../../testing/agent-fixture.ts';
import { draftKey, loadDraft, saveDraft } from './draft.ts';
import {
  changesAppliedAtStart,
  emptyForm,
  environmentRow,
  formFromAgent,
  isDirty,
  presetsFor,
  providerFromPreset,
  toCreateBody,
  toUpdateBody,
  withCli,
  type Preset,
} from './form-model.ts';
import { problemsFromServer, validate } from './validation.ts';

const models = { main: 'm', strong: 's', small: 'x' };
const endpoint = (protocol: Preset['endpoints'][number]['protocol'], baseUrl: string): Preset['endpoints'][number] => ({
  protocol,
  baseUrl,
  source: 'https://example.com/docs',
  models,
});
const presets: Preset[] = [
  {
    id: 'anthropic',
    name: 'Anthropic',
    hint: 'Your own API key',
    endpoints: [endpoint('anthropic', 'https://api.anthropic.com')],
  },
  {
    id: 'router',
    name: 'Router',
    hint: 'Your own API key',
    endpoints: [endpoint('anthropic', 'https://router.test/a'), endpoint('openai-responses', 'https://router.test/v1')],
  },
  { id: 'google', name: 'Google', hint: 'Your own API key', endpoints: [endpoint('gemini', 'https://gemini.test')] },
];

const agent = agentFixture({}, { description: 'Keeps the pages right', environment: [{ name: 'A', value: '1' }] });

describe('presets', () => {
  it('offers only what the CLI speaks', () => {
    expect(presetsFor(presets, 'claude-code').map(({ id }) => id)).toEqual(['anthropic', 'router']);
    expect(presetsFor(presets, 'codex').map(({ id }) => id)).toEqual(['router']);
    expect(presetsFor(presets, 'opencode')).toHaveLength(3);
    expect(presetsFor(presets, 'shell')).toEqual([]);
  });
  it('changes the endpoint with the CLI and keeps the provider where it can', () => {
    const form = {
      ...emptyForm(presets),
      provider: providerFromPreset('router', presets, 'claude-code', emptyForm(presets).provider),
    };
    expect(withCli(form, 'codex', presets).provider).toMatchObject({
      preset: 'router',
      protocol: 'openai-responses',
      baseUrl: 'https://router.test/v1',
      small: '',
    });
    expect(withCli(form, 'gemini', presets).provider.preset).toBe('google');
    expect(toCreateBody(withCli(form, 'shell', presets)).provider).toBeNull();
  });
  it('keeps typed values when the provider becomes custom', () => {
    const form = emptyForm(presets);
    const custom = providerFromPreset('custom', presets, 'claude-code', { ...form.provider, baseUrl: 'http://mine' });
    expect(custom).toMatchObject({ preset: 'custom', protocol: 'anthropic', baseUrl: 'http://mine' });
  });
});

describe('bodies', () => {
  it('trims, leaves blank rows out and sends the token only when typed', () => {
    const form = {
      ...emptyForm(presets),
      name: ' Nightly ',
      environment: [environmentRow(), environmentRow(' KEY ', ' v ')],
    };
    expect(toCreateBody(form)).toMatchObject({ name: 'Nightly', environment: [{ name: 'KEY', value: ' v ' }] });
    expect('providerToken' in toCreateBody(form)).toBe(false);
    expect(toCreateBody({ ...form, providerToken: ' k\n' }).providerToken).toBe('k');
  });
  it('sends only what changed and knows what waits for a restart', () => {
    const before = formFromAgent(agent);
    expect(toUpdateBody(formFromAgent(agent), before)).toEqual({});
    expect(isDirty(formFromAgent(agent), before)).toBe(false);
    const renamed = toUpdateBody({ ...before, name: 'New', icon: 'bug' }, before);
    expect(renamed).toEqual({ name: 'New', icon: 'bug' });
    expect(changesAppliedAtStart(renamed)).toEqual([]);
    const body = toUpdateBody({ ...before, instructions: 'Longer.', providerToken: 'k' }, before);
    expect(changesAppliedAtStart(body)).toEqual(['providerToken', 'instructions']);
    expect(toUpdateBody({ ...before, removeToken: true }, before)).toEqual({ providerToken: null });
  });
});

describe('validation', () => {
  const good = { ...emptyForm(presets), name: 'Nightly' };
  it('accepts a filled form', () => expect(validate(good)).toEqual({}));
  it('says what is wrong with names', () => {
    expect(validate({ ...good, name: '  ' })).toMatchObject({ name: { key: 'problemNameMissing' } });
    expect(validate({ ...good, name: 'a\u202eb' })).toMatchObject({ name: { key: 'problemInvisible' } });
    expect(validate({ ...good, name: '字'.repeat(61) })).toMatchObject({
      name: { key: 'problemTooLong', values: { max: 60, length: 61 } },
    });
  });
  it('checks addresses, tokens and models', () => {
    const provider = { ...good.provider, baseUrl: 'ftp://x', main: 'a b' };
    const problems = validate({
      ...good,
      provider,
      providerToken: 'schlüssel',
      proxy: { httpProxy: 'x', httpsProxy: '', noProxy: 'a, b' },
    });
    expect(problems).toMatchObject({
      'provider.baseUrl': { key: 'problemUrlScheme' },
      'provider.models.main': { key: 'problemModelSpaces' },
      providerToken: { key: 'problemTokenCharacters' },
      'proxy.httpProxy': { key: 'problemUrlScheme' },
      'proxy.noProxy': { key: 'problemNoProxySpaces' },
    });
  });
  it('refuses reserved, doubled and malformed variables at their row', () => {
    const names = ['1A', 'A-B', 'path', 'LD_PRELOAD', 'OK', 'OK', ''];
    const environment = names.map((name) => environmentRow(name, 'v'));
    expect(validate({ ...good, environment })).toMatchObject({
      'environment.0.name': { key: 'problemEnvNameDigit' },
      'environment.1.name': { key: 'problemEnvNameCharacters' },
      'environment.2.name': { key: 'problemEnvReserved' },
      'environment.3.name': { key: 'problemEnvReserved' },
      'environment.5.name': { key: 'problemEnvDuplicate' },
      'environment.6.name': { key: 'problemEnvNameMissing' },
    });
    for (const name of reservedEnvNames.filter((reserved) => !reserved.endsWith('*'))) {
      expect(validate({ ...good, environment: [environmentRow(name, '')] })).toMatchObject({
        'environment.0.name': { key: 'problemEnvReserved' },
      });
    }
  });
  it('puts problems of the server at their fields, blank rows counted', () => {
    const form = { ...good, environment: [environmentRow(), environmentRow('A', '1'), environmentRow('B', '2')] };
    const { problems, other } = problemsFromServer(
      [
        { path: '/environment/1/name', message: 'is reserved' },
        { path: '/provider/models/main', message: 'too long' },
        { path: '/nonsense', message: 'unknown field' },
        { path: '', message: 'bad' },
      ],
      form,
    );
    expect(problems).toEqual({
      'environment.2.name': { text: 'is reserved' },
      'provider.models.main': { text: 'too long' },
    });
    expect(other).toEqual(['/nonsense: unknown field', 'bad']);
  });
});

describe('draft', () => {
  beforeEach(() => localStorage.clear());
  it('keeps everything but the token', () => {
    const key = draftKey('1', null);
    const form = { ...emptyForm(presets), name: 'x', providerToken: 'secret', environment: [environmentRow('A', '1')] };
    expect(saveDraft(localStorage, key, { form, savedAt: '2026-11-21T12:00:00Z', basedOn: null })).toBe(true);
    expect(JSON.stringify(localStorage)).not.toContain('secret');
    const loaded = loadDraft(localStorage, key);
    expect(loaded?.form).toMatchObject({ name: 'x', providerToken: '', environment: [{ name: 'A', value: '1' }] });
    expect(loadDraft(localStorage, draftKey('2', null))).toBeNull();
  });
  it('ignores rubbish', () => {
    for (const text of ['{', '{"form":{}}', '{"form":{"name":1}}', '[]']) {
      localStorage.setItem('k', text);
      expect(loadDraft(localStorage, 'k')).toBeNull();
    }
  });
});
