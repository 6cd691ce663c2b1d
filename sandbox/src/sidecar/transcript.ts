import { readTailBelow } from './safe-file.ts';
import { isPrompt } from './prompt-text.ts';

const MAX_TRANSCRIPT_BYTES = 8 * 1024 * 1024;

/** Claude's name for a project folder: every character that is not a letter or digit becomes a dash. */
const projectFolder = (workspace: string): string => workspace.replace(/[^A-Za-z0-9]/g, '-');

const promptTextOf = (record: unknown): string | null => {
  if (typeof record !== 'object' || record === null) return null;
  const { type, isMeta, message } = record as { type?: unknown; isMeta?: unknown; message?: { content?: unknown } };
  if (type !== 'user' || isMeta === true) return null;
  const content = message?.content;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return null;
  const blocks: readonly unknown[] = content;
  return blocks
    .map((block) =>
      typeof block === 'object' && block !== null && 'text' in block && typeof block.text === 'string'
        ? block.text
        : '',
    )
    .join('\n');
};

const lineHoldsPrompt = (line: string, text: string, sinceMs: number): boolean => {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return false;
  }
  const written =
    typeof record === 'object' && record !== null && 'timestamp' in record
      ? Date.parse(String(record.timestamp))
      : Number.NaN;
  // The same text may have been sent just before: what is older than this attempt is another one.
  if (!(written >= sinceMs)) return false;
  const prompt = promptTextOf(record);
  return prompt !== null && isPrompt(prompt, text);
};

/** Whether Claude's transcript says that a prompt was taken since `sinceMs`. False also when it cannot be read. */
export const transcriptHoldsPrompt = async (
  where: { readonly home: string; readonly workspace: string; readonly conversationId: string },
  text: string,
  sinceMs: number,
): Promise<boolean> => {
  const path = `.claude/projects/${projectFolder(where.workspace)}/${where.conversationId}.jsonl`;
  const content = await readTailBelow(where.home, path, MAX_TRANSCRIPT_BYTES);
  return content !== null && content.split('\n').some((line) => line !== '' && lineHoldsPrompt(line, text, sinceMs));
};
