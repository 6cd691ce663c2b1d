import { describe, expect, it } from 'vitest';
import { SseParser, type SseMessage } from './sse-parser.ts';

const parse = (...pieces: string[]): { messages: SseMessage[]; retries: number[] } => {
  const messages: SseMessage[] = [];
  const retries: number[] = [];
  const parser = new SseParser({
    onMessage: (message) => messages.push(message),
    onRetry: (delayMs) => retries.push(delayMs),
  });
  for (const piece of pieces) parser.push(piece);
  return { messages, retries };
};

describe('SseParser', () => {
  it('reads id, event and data, and keeps the id for later messages', () => {
    const { messages } = parse('id: 7\nevent: agent\ndata: {"a":1}\n\ndata: x\n\n');
    expect(messages).toEqual([
      { id: '7', event: 'agent', data: '{"a":1}' },
      { id: '7', event: 'message', data: 'x' },
    ]);
  });

  it('gives the same messages however the text is cut', () => {
    const text = '\ufeff: hello\r\nid: 1\r\ndata: ein\r\ndata: zwei\r\n\r\nretry: 250\rdata:drei\r\r: end\n\n';
    const whole = parse(text);
    expect(whole.messages.map((message) => message.data)).toEqual(['ein\nzwei', 'drei']);
    expect(whole.retries).toEqual([250]);
    for (let size = 1; size < 8; size++) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
      expect(parse(...pieces)).toEqual(whole);
    }
  });

  it('ignores comments, unknown fields, ids with NUL and a message without data', () => {
    const { messages, retries } = parse(': ping\nwhat: ever\nid: a\0b\nevent: gone\nretry: soon\n\ndata\n\n');
    expect(messages).toEqual([{ id: null, event: 'message', data: '' }]);
    expect(retries).toEqual([]);
  });

  it('gives up on a line and on a message without end', () => {
    expect(() => parse('data: ', 'x'.repeat(4 * 1024 * 1024 + 1))).toThrow(RangeError);
    const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
    expect(() => parse(line, line, line, line, line)).toThrow(RangeError);
  });
});
