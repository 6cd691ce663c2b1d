import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
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

/** Text of an ordinary file, also behind a link; null when there is none. A link to a device would never end. */
const readExisting = async (path: string): Promise<string | null> => {
  const info = await stat(path).catch(() => null);
  if (info === null || !info.isFile() || info.size > MAX_EXISTING_BYTES) return null;
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

const withLineEnd = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

const writeText = async (path: string, content: string): Promise<void> => {
  const text = withLineEnd(content);
  if ((await readExisting(path)) !== text) await replaceFile(path, text);
};

const SECTION_START = '<!-- Instructions from the settings of this agent; changed there, not here. -->\n';
const SECTION_END = '<!-- End of the instructions from the settings. What follows is kept. -->\n';

/** Everything but our section. */
const outsideSection = (text: string): string => {
  const start = text.indexOf(SECTION_START);
  const end = text.indexOf(SECTION_END, start);
  return start < 0 || end < 0 ? text : text.slice(0, start) + text.slice(end + SECTION_END.length);
};

/** The agent's own notes in the same file are its work: they outlive every change of the settings. */
const writeSection = async (path: string, content: string): Promise<void> => {
  const existing = (await readExisting(path)) ?? '';
  const section = content === '' ? '' : SECTION_START + withLineEnd(content) + SECTION_END;
  const text = section + outsideSection(existing);
  if (text === '') await rm(path, { force: true });
  else if (text !== existing) await replaceFile(path, text);
};

/**
 * Puts files into the home. Runs with the agent's own rights inside the sandbox, so that a link the agent
 * planted can lead nowhere the agent could not write itself. @throws the file system's error with its path
 */
export const seedHome = async (home: string, files: readonly SeedFile[]): Promise<void> => {
  for (const file of files) {
    const path = join(home, file.path);
    if (file.kind === 'json-merge') await mergeJson(path, { ...file.members });
    else if (file.kind === 'section') await writeSection(path, file.content);
    else await writeText(path, file.content);
  }
};
