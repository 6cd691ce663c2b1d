import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCodexAbort } from './codex-transcript.ts';

let host: string;
beforeAll(async () => {
  host = await mkdtemp(join(tmpdir(), 'sac-codex-'));
  await mkdir(join(host, '.codex/sessions'), { recursive: true });
});
afterAll(() => rm(host, { recursive: true, force: true }));

const line = (second: number, type: string): string =>
  JSON.stringify({ timestamp: `2026-01-01T00:00:0${second}.000Z`, type: 'event_msg', payload: { type } });
const read = async (...lines: string[]): Promise<number | null> => {
  await writeFile(join(host, '.codex/sessions/a.jsonl'), lines.join('\n'));
  return readCodexAbort('/home/agent/.codex/sessions/a.jsonl', { inside: '/home/agent', host });
};

it('finds the last interruption', async () => {
  expect(await read(line(1, 'task_started'), line(2, 'token_count'))).toBeNull();
  expect(await read(line(1, 'turn_aborted'), line(2, 'task_started'), line(3, 'turn_aborted'), '')).toBe(
    Date.parse('2026-01-01T00:00:03.000Z'),
  );
});

it('is not misled by words, halves and strange lines', async () => {
  const said = JSON.stringify({ timestamp: 1, payload: { type: 'message', text: '"turn_aborted"' } });
  expect(await read(said, 'null', '7', '{"payload":{"type":"turn_aborted"}}', '{"timestamp":"2026')).toBeNull();
});

it('reads nothing outside the home', async () => {
  await symlink('/etc/passwd', join(host, 'link'));
  for (const path of ['/etc/passwd', '/home/agent/../secret', '/home/agent/link', '/home/agentx/a', ''])
    expect(await readCodexAbort(path, { inside: '/home/agent', host })).toBeNull();
});
