import { readTailBelow } from './safe-file.ts';

/** What Claude Code writes to `~/.claude/sessions/<pid>.json` while it runs. Undocumented, so everything is checked. */
export interface ClaudeState {
  readonly status: 'idle' | 'busy' | 'waiting';
  readonly waitingFor: string | null;
  readonly sessionId: string | null;
  readonly updatedAtMs: number;
}

const MAX_STATE_BYTES = 64 * 1024;
/** The CLI notes its start a little after the terminal server did. */
const START_TOLERANCE_MS = 2_000;

const isStatus = (value: unknown): value is ClaudeState['status'] =>
  value === 'idle' || value === 'busy' || value === 'waiting';

/**
 * Reads the state of the CLI process `pid` (as numbered inside the sandbox) from its home, safely against an
 * agent that replaces the file by anything. Null when it is missing, strange, or left by an earlier process
 * of the same number.
 */
export const readClaudeState = async (home: string, pid: number, startedAtMs: number): Promise<ClaudeState | null> => {
  const text = await readTailBelow(home, `.claude/sessions/${pid}.json`, MAX_STATE_BYTES);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Read while it was being written; the next look finds it whole.
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { status, waitingFor, sessionId, statusUpdatedAt, startedAt } = value as Record<string, unknown>;
  if (!isStatus(status) || typeof statusUpdatedAt !== 'number' || typeof startedAt !== 'number') return null;
  if (startedAt < startedAtMs - START_TOLERANCE_MS) return null;
  return {
    status,
    waitingFor: typeof waitingFor === 'string' ? waitingFor.slice(0, 200) : null,
    sessionId: typeof sessionId === 'string' && /^[A-Za-z0-9-]{1,100}$/.test(sessionId) ? sessionId : null,
    updatedAtMs: statusUpdatedAt,
  };
};
