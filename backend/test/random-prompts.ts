import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** mulberry32: small, seeded, good enough to choose test inputs. Numbers from 0 up to, not including, 1. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const pieces = [
  'retry ',
  'the quick brown fox, ',
  'über naïve café ',
  'cafe\u0301 ',
  '漢字とかな ',
  '한국어 ',
  '😀👩‍👩‍👧🚀 ',
  '\tindented\twith tabs ',
  '\n',
  '\n\n',
  '\r\n',
  '    return value;\n',
  'C:\\dir\\file ',
  'a/b/c.ts:12 ',
  'src/@types ',
  'x@example.org ',
  '# not a heading ',
  '!important ',
  '{"json": [1, 2, "\\n"]} ',
  '<b>&amp;</b> ',
  '`code` $HOME $(date) ',
  'it\'s "quoted" ',
  '\u200bzero\u00a0width ',
  'bell\u0007 ',
  '1234567890',
  '~!%^&*()_+-=;:,.<>?|',
];
/** Ends that an input box may take for something else than text. */
const endings = ['', '', '', '.', '\\', '\\\\', '\n', ' \t\n', ' @', '?', '…', '\\\n', ' /clear', '#', '!'];
const LARGEST_BYTES = 65_536;

const cutTo = (text: string, bytes: number): string => {
  let cut = Buffer.from(text).subarray(0, bytes).toString();
  while (Buffer.byteLength(cut) > bytes || cut.endsWith('\ufffd')) cut = cut.slice(0, -1);
  return cut;
};

/** A prompt of 1 B to 64 KiB, small ones as often as large ones; it never is a command of the CLI or of the model. */
export const randomPrompt = (random: () => number): string => {
  const bytes = Math.max(1, Math.floor(LARGEST_BYTES ** random()));
  const few = Array.from({ length: 1 + Math.floor(random() * 6) }, () => pieces[Math.floor(random() * pieces.length)]);
  const parts: string[] = [];
  for (let size = 0; size < bytes; size += Buffer.byteLength(parts.at(-1) ?? '')) {
    parts.push(few[Math.floor(random() * few.length)] ?? '');
  }
  const ending = endings[Math.floor(random() * endings.length)] ?? '';
  const text =
    cutTo(parts.join('').replace(/^[\s/!#@&]+/u, ''), Math.max(0, bytes - Buffer.byteLength(ending))) + ending;
  return /^(?:$|[/!#@&\\])/.test(normalised(text)) ? `p${Math.floor(random() * 10)}` : text;
};

/** What may change on the way into the CLI: control and invisible characters go, white space becomes one blank, pastes are wrapped. */
export const normalised = (text: string): string =>
  text
    .replace(/<\/?pasted_content\b[^>]*>/g, ' ')
    .replace(/[^\P{Cc}\t\r\n]/gu, '')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .normalize('NFC')
    .replace(/\s+/g, ' ')
    .trim();

interface TranscriptLine {
  readonly type?: unknown;
  readonly isMeta?: unknown;
  readonly timestamp?: string;
  readonly message?: { readonly content?: unknown };
}

const textOf = (content: unknown): string => {
  if (typeof content === 'string') return content;
  const blocks: readonly unknown[] = Array.isArray(content) ? content : [];
  return blocks
    .map((block) => (typeof block === 'object' && block !== null && 'text' in block ? String(block.text) : ''))
    .join('\n');
};

/** Prompts that Claude Code wrote down in all its conversations of one workspace, in the order it took them. */
export const promptsTaken = async (home: string): Promise<string[]> => {
  // One folder, named after where the workspace is: that depends on how the sandbox is kept apart.
  const projects = join(home, '.claude/projects');
  const files = (await readdir(projects, { recursive: true })).filter((name) => /^[^/]+\/[^/]+\.jsonl$/.test(name));
  const conversations = await Promise.all(
    files.map(async (name) =>
      (await readFile(join(projects, name), 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as TranscriptLine),
    ),
  );
  const beginning = (lines: readonly TranscriptLine[]): number =>
    Math.min(...lines.flatMap(({ timestamp }) => (timestamp === undefined ? [] : [Date.parse(timestamp)])));
  return conversations
    .sort((a, b) => beginning(a) - beginning(b))
    .flat()
    .filter(({ type, isMeta }) => type === 'user' && isMeta !== true)
    .map(({ message }) => textOf(message?.content))
    .filter((text) => normalised(text) !== '' && !/^<(?:command-name|command-message|local-command)/.test(text));
};
