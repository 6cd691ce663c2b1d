import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseLaunchSpec, readLaunchSpec } from './launch-spec.ts';

const valid = {
  agentUid: 'a1',
  generation: 3,
  terminalKey: 'k'.repeat(43),
  workspaceDir: '/workspace',
  main: {
    command: 'claude',
    args: ['--x'],
    env: { HOME: '/home/agent', EMPTY: '' },
    cwd: '/workspace',
    resume: { idFile: '/run/sac/state/id', args: ['--resume', '{id}'] },
  },
  shell: { command: '/bin/bash', args: ['-l'], env: {}, cwd: '/workspace' },
  recording: { directory: '/home/agent/.local/state/sac/recordings', totalBytes: 16_777_216, isOn: true },
};

const directory = mkdtempSync(join(tmpdir(), 'sac-spec-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (text: string): string => {
  const path = join(directory, 'spec.json');
  writeFileSync(path, text);
  return path;
};

describe('launch spec', () => {
  it('reads a whole spec', () => {
    expect(readLaunchSpec(file(JSON.stringify(valid)))).toEqual(valid);
    expect(parseLaunchSpec({ ...valid, main: { ...valid.main, resume: null } }).main.resume).toBeNull();
    expect(parseLaunchSpec({ ...valid, recording: undefined }).recording).toBeNull();
  });
  it.each<readonly [string, unknown, RegExp]>([
    ['nothing', null, /\(whole\): expected an object/],
    ['generation', { ...valid, generation: 1.5 }, /generation: expected a whole number/],
    ['short key', { ...valid, terminalKey: 'short' }, /terminalKey: 5 characters, at least 32/],
    ['relative workspace', { ...valid, workspaceDir: 'work' }, /workspaceDir: expected an absolute path/],
    ['args', { ...valid, shell: { ...valid.shell, args: '-l' } }, /shell\.args: expected a list/],
    ['env name', { ...valid, shell: { ...valid.shell, env: { 'A=B': '' } } }, /shell\.env: not a variable name/],
    [
      'record size',
      { ...valid, recording: { ...valid.recording, totalBytes: -1 } },
      /recording\.totalBytes: .*1048576/,
    ],
    [
      'record place',
      { ...valid, recording: { ...valid.recording, directory: 'x' } },
      /recording\.directory: .*absolute/,
    ],
    ['env value', { ...valid, shell: { ...valid.shell, env: { A: 1 } } }, /shell\.env\.A: expected text, got number/],
    ['NUL', { ...valid, main: { ...valid.main, command: 'a\0b' } }, /main\.command: contains a NUL/],
    ['resume', { ...valid, main: { ...valid.main, resume: { idFile: 'x', args: [] } } }, /main\.resume\.idFile/],
  ])('names what is wrong: %s', (_name, value, expected) => {
    expect(() => parseLaunchSpec(value)).toThrow(expected);
  });
  it('refuses what is not JSON without repeating its content', () => {
    expect(() => readLaunchSpec(file('{"terminalKey":"secret'))).toThrow(/^launch spec: \(whole\): not valid JSON$/);
  });
});
