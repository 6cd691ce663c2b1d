import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { SeedFile } from './profile.ts';

/** A CLI's own state file may be large, but not without end. */
const MAX_EXISTING_BYTES = 32 * 1024 * 1024;

type Members = Record<string, unknown>;
const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects are merged member by member; everything else is replaced. */
export const mergeMembers = (base: Members, changes: Members): Members => {
  const merged: Members = { ...base };
  for (const [name, value] of Object.entries(changes)) {
    const before = Object.hasOwn(base, name) ? base[name] : undefined;
    merged[name] = isMembers(before) && isMembers(value) ? mergeMembers(before, value) : value;
  }
  return merged;
};

const replaceFile = async (path: string, content: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, content, { mode: 0o600, flag: 'wx' });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** Text of an ordinary file, null when there is none. */
const readExisting = async (path: string): Promise<string | null> => {
  const info = await lstat(path).catch(() => null);
  if (info === null) return null;
  if (!info.isFile() && !info.isSymbolicLink()) return null;
  if (info.size > MAX_EXISTING_BYTES) return null;
  return readFile(path, 'utf8').catch(() => null);
};

const parseMembers = (text: string): Members | null => {
  try {
    const value: unknown = JSON.parse(text);
    return isMembers(value) ? value : null;
  } catch {
    return null;
  }
};

const mergeJson = async (path: string, members: Members): Promise<void> => {
  const text = await readExisting(path);
  const existing = text === null ? {} : parseMembers(text);
  // A file the CLI could not read either: keep it beside, start from ours.
  if (existing === null) await rename(path, `${path}.unreadable`).catch(() => undefined);
  const merged = `${JSON.stringify(mergeMembers(existing ?? {}, members), null, 2)}\n`;
  if (merged !== text) await replaceFile(path, merged);
};

const writeText = async (path: string, content: string): Promise<void> => {
  if (content === '') return rm(path, { force: true });
  const text = content.endsWith('\n') ? content : `${content}\n`;
  if ((await readExisting(path)) !== text) await replaceFile(path, text);
};

/**
 * Puts files into the home. Runs with the agent's own rights inside the sandbox, so that a link the agent
 * planted can lead nowhere the agent could not write itself. @throws the file system's error with its path
 */
export const seedHome = async (home: string, files: readonly SeedFile[]): Promise<void> => {
  for (const file of files) {
    const path = join(home, file.path);
    if (file.kind === 'json-merge') await mergeJson(path, { ...file.members });
    else await writeText(path, file.content);
  }
};
