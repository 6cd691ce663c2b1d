import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergeMembers, seedHome } from './seed.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sac-home-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));
const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(home, name), 'utf8'));

describe('seedHome', () => {
  it('sets only its members in what the CLI wrote', async () => {
    await writeFile(
      join(home, '.claude.json'),
      JSON.stringify({ userID: 'u', projects: { '/other': { x: 1 }, '/workspace': { history: [1] } } }),
    );
    await seedHome(home, [
      {
        kind: 'json-merge',
        path: '.claude.json',
        members: { done: true, projects: { '/workspace': { trusted: true } } },
      },
    ]);
    expect(await read('.claude.json')).toEqual({
      userID: 'u',
      done: true,
      projects: { '/other': { x: 1 }, '/workspace': { history: [1], trusted: true } },
    });
    expect((await stat(join(home, '.claude.json'))).mode & 0o777).toBe(0o600);
  });

  it('keeps an unreadable file beside and starts anew', async () => {
    await writeFile(join(home, 'a.json'), '{"half":');
    await seedHome(home, [{ kind: 'json-merge', path: 'a.json', members: { a: 1 } }]);
    expect(await read('a.json')).toEqual({ a: 1 });
    expect(await readFile(join(home, 'a.json.unreadable'), 'utf8')).toBe('{"half":');
  });

  it('writes text files in new folders, and removes them when there is nothing to say', async () => {
    await seedHome(home, [{ kind: 'text', path: '.claude/CLAUDE.md', content: 'Be kind.' }]);
    expect(await readFile(join(home, '.claude/CLAUDE.md'), 'utf8')).toBe('Be kind.\n');
    await seedHome(home, [{ kind: 'text', path: '.claude/CLAUDE.md', content: '' }]);
    expect(await readdir(join(home, '.claude'))).toEqual([]);
  });

  it('does not touch a file that already says so', async () => {
    const file = [{ kind: 'json-merge', path: 'a.json', members: { a: { b: 1 } } }] as const;
    await seedHome(home, file);
    const before = (await stat(join(home, 'a.json'))).ino;
    await seedHome(home, file);
    expect((await stat(join(home, 'a.json'))).ino).toBe(before);
  });
});

it('merging takes no member from the prototype', () => {
  expect(mergeMembers({}, JSON.parse('{"toString":{"a":1}}') as Record<string, unknown>)).toEqual({
    toString: { a: 1 },
  });
});
