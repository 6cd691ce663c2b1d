import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HookEvent } from '../hooks/hook-event.ts';
import { hookEvent } from '../hooks/testing/hook-event.ts';
import { Conversation } from './conversation.ts';

let dir: string;
let path: string;
let starts = 0;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-conversation-'));
  path = join(dir, 'conversation');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const prompted = (sessionId: string): HookEvent => hookEvent('UserPromptSubmit', { sessionId, prompt: 'hello' });
const refused = { code: 1, signal: null };
const killed = { code: null, signal: 'SIGKILL' };
const resuming = async (): Promise<Conversation> => {
  await writeFile(path, 'one');
  const conversation = new Conversation(path);
  await conversation.load();
  return conversation;
};
const life = (conversation: Conversation, exit: typeof refused | typeof killed): Promise<boolean> => {
  conversation.mainRuns(`start ${(starts += 1)}`);
  return conversation.mainEnded(500, exit);
};

describe('Conversation', () => {
  it('is written down as soon as that is possible again', async () => {
    const later = join(dir, 'later');
    const conversation = new Conversation(join(later, 'conversation'));
    await expect(conversation.hook(prompted('one'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(conversation.id).toBe('one');
    await mkdir(later);
    expect(await conversation.hook(prompted('one'))).toBe(false);
    expect(await readFile(join(later, 'conversation'), 'utf8')).toBe('one');
  });

  it('is the later one of two in a row', async () => {
    const conversation = new Conversation(path);
    await Promise.all(['one', 'two', 'three'].map((id) => conversation.hook(prompted(id))));
    expect(await readFile(path, 'utf8')).toBe('three');
  });

  it('sets aside what the CLI refuses twice to take up', async () => {
    const conversation = await resuming();
    expect(await life(conversation, refused)).toBe(false);
    expect(await life(conversation, refused)).toBe(true);
    expect(conversation.id).toBeNull();
    expect(await readFile(`${path}.set-aside`, 'utf8')).toBe('one');
  });

  it('keeps it however often the CLI is killed', async () => {
    const conversation = await resuming();
    for (let kill = 0; kill < 5; kill++) expect(await life(conversation, killed)).toBe(false);
    expect(conversation.id).toBe('one');
  });

  it('does not count a CLI that was talked to, or that had nothing to take up', async () => {
    const conversation = new Conversation(path);
    expect(await life(conversation, refused)).toBe(false);
    conversation.mainRuns('first');
    await conversation.hook(prompted('two'));
    expect(await conversation.mainEnded(500, refused)).toBe(false);
    conversation.mainRuns('second');
    await conversation.hook(prompted('two'));
    expect(await conversation.mainEnded(500, refused)).toBe(false);
    expect(await life(conversation, refused)).toBe(false);
    expect(await readFile(path, 'utf8')).toBe('two');
  });

  it('remembers nothing of a CLI that nobody talked to', async () => {
    const conversation = new Conversation(path);
    for (const event of ['SessionStart', 'Notification', 'SessionEnd']) {
      expect(await conversation.hook({ ...prompted('three'), event, prompt: null })).toBe(false);
    }
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  it('is told of one start many times and counts one', async () => {
    const conversation = await resuming();
    conversation.mainRuns('once');
    await conversation.hook(prompted('one'));
    conversation.mainRuns('once');
    expect(await conversation.mainEnded(500, refused)).toBe(false);
    expect(await life(conversation, refused)).toBe(false);
    expect(conversation.id).toBe('one');
  });
});
