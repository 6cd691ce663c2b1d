import { describe, expect, it } from 'vitest';
import { accountBody, accountProblems, passwordProblem, passwordStrength } from './account-form.ts';
import { nextPage } from './next-page.ts';

const t = (key: string) => key;
const draft = { username: 'ana', displayName: '', email: '', password: 'long enough' };

describe('account form', () => {
  it('accepts what the server accepts', () => {
    expect(accountProblems(draft, t)).toEqual({});
    expect(accountBody(draft)).toEqual({ username: 'ana', displayName: 'ana', password: 'long enough' });
    expect(accountBody({ ...draft, displayName: ' Ana B ', email: ' a@b ' })).toMatchObject({
      displayName: 'Ana B',
      email: 'a@b',
    });
  });
  it('names what is wrong, per field', () => {
    expect(accountProblems({ username: 'a', displayName: 'x'.repeat(81), email: 'a@', password: 'short' }, t)).toEqual({
      username: 'auth.usernameLength',
      displayName: 'auth.displayNameLong',
      email: 'auth.emailWrong',
      password: 'auth.passwordShort',
    });
    expect(accountProblems({ ...draft, username: '.ana' }, t).username).toBe('auth.usernameCharacters');
  });
  it('counts the bytes of a password, not its characters', () => {
    expect(passwordProblem('ä'.repeat(36), t)).toBeNull();
    expect(passwordProblem('ä'.repeat(37), t)).toBe('auth.passwordLong');
  });
  it('rates length over variety and sees through repetition', () => {
    expect(passwordStrength('short')).toBe(0);
    expect(passwordStrength('aaaaaaaaaaaaaaaaaaaaaaaa')).toBe(1);
    expect(passwordStrength('abcdefghij')).toBe(1);
    expect(passwordStrength('correct horse battery staple')).toBe(4);
  });
});

describe('nextPage', () => {
  it('stays on this site', () => {
    expect(nextPage('/agents/5?x=1')).toBe('/agents/5?x=1');
    for (const bad of [
      '//evil.example',
      'https://evil.example',
      '/\\evil.example',
      'agents',
      undefined,
      ['/a'],
      '/sign-in?next=/',
    ])
      expect(nextPage(bad)).toBe('/');
  });
});
