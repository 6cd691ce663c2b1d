import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
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

  it('writes text files in new folders', async () => {
    await seedHome(home, [{ kind: 'text', path: '.config/x/settled', content: 'Yes.' }]);
    expect(await readFile(join(home, '.config/x/settled'), 'utf8')).toBe('Yes.\n');
  });

  describe('instructions', () => {
    const notes = join('.claude', 'CLAUDE.md');
    const seed = (content: string) => seedHome(home, [{ kind: 'section', path: notes, content }]);
    const text = () => readFile(join(home, notes), 'utf8');

    it('are written, replaced, and gone with the file when there are none', async () => {
      await seed('Be kind.');
      expect(await text()).toContain('\nBe kind.\n');
      await seed('Be brief.');
      expect(await text()).toContain('\nBe brief.\n');
      expect(await text()).not.toContain('kind');
      await seed('');
      expect(await readdir(join(home, '.claude'))).toEqual([]);
    });

    it('leave what the agent wrote around them, whatever happens to the settings', async () => {
      await seed('Be kind.');
      const [before, after] = ['# Found out\n', '- tests need a database\n'];
      await writeFile(join(home, notes), before + (await text()) + after);
      await seed('Be brief.\n');
      expect(await text()).toContain('Be brief.\n');
      await seed('');
      expect(await text()).toBe(before + after);
      await seed('');
      expect(await text()).toBe(before + after);
    });

    it('go above notes that were there before', async () => {
      await seed('');
      await mkdir(join(home, '.claude'), { recursive: true });
      await writeFile(join(home, notes), 'mine\n');
      await seed('Be kind.');
      expect(await text()).toMatch(/Be kind\.\n[^]*\nmine\n$/);
    });
  });

  it('replaces a link to something without an end', async () => {
    await symlink('/dev/zero', join(home, 'a.json'));
    await seedHome(home, [{ kind: 'json-merge', path: 'a.json', members: { a: 1 } }]);
    expect(await read('a.json')).toEqual({ a: 1 });
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
