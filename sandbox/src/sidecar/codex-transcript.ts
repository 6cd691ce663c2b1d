import { readTailBelow } from './safe-file.ts';

/** An interrupted turn ends with a short line; what comes after it belongs to the next turn. */
const MAX_TAIL_BYTES = 64 * 1024;

const abortedAt = (line: string): number | null => {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    // The first line of the tail is cut, the last one may be half written.
    return null;
  }
  if (typeof record !== 'object' || record === null) return null;
  const { timestamp, payload } = record as { timestamp?: unknown; payload?: unknown };
  if (typeof payload !== 'object' || payload === null || !('type' in payload)) return null;
  const atMs = payload.type === 'turn_aborted' ? Date.parse(String(timestamp)) : Number.NaN;
  return Number.isNaN(atMs) ? null : atMs;
};

/**
 * When Codex last noted in its transcript that a turn was interrupted, which it tells no hook. `path` is the
 * transcript as seen by the CLI; `inside` and `host` are its home there and here. Null when nothing says so.
 */
export const readCodexAbort = async (
  path: string,
  home: { readonly inside: string; readonly host: string },
): Promise<number | null> => {
  if (!path.startsWith(`${home.inside}/`)) return null;
  const text = await readTailBelow(home.host, path.slice(home.inside.length + 1), MAX_TAIL_BYTES);
  const last = text?.split('\n').findLast((line) => line.includes('"turn_aborted"') && abortedAt(line) !== null);
  return last === undefined ? null : abortedAt(last);
};
