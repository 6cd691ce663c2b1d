import type { ClientMessage, ServerMessage } from '@sac/contracts';
import { Terminal } from '@xterm/xterm';
import { afterEach, describe, expect, it } from 'vitest';
import { OutputFlow } from './output-flow.ts';

const terminals: Terminal[] = [];
afterEach(() => {
  for (const terminal of terminals.splice(0)) terminal.dispose();
});

/** With the real parser; what was sent is noted together with the lines that were parsed before. */
const start = () => {
  const terminal = new Terminal({ allowProposedApi: true, cols: 80, rows: 24, scrollback: 100 });
  terminals.push(terminal);
  const acknowledged: { offset: number; line: string }[] = [];
  const line = (): string =>
    terminal.buffer.active
      .getLine(terminal.buffer.active.baseY + terminal.buffer.active.cursorY)
      ?.translateToString(true) ?? '';
  const flow = new OutputFlow({
    screen: {
      write: (data, done) => terminal.write(data, done),
      reset: () => terminal.write('', () => terminal.reset()),
      resize: () => undefined,
    },
    send: (message: ClientMessage) => {
      if (message.type === 'acknowledge') acknowledged.push({ offset: message.offset, line: line() });
    },
    onDiverged: () => undefined,
  });
  const parsed = (): Promise<void> => new Promise((resolve) => terminal.write('', resolve));
  return { flow, acknowledged, parsed };
};
const sync = (offset: number): ServerMessage => ({
  type: 'sync',
  sync: { stream: 's1', offset, kind: 'snapshot', columns: 80, rows: 24 },
});
const piece = (last: string): ServerMessage => ({
  type: 'snapshot',
  data: new TextEncoder().encode(`${'line\r\n'.repeat(10_000)}${last}`),
});
const state: ServerMessage = {
  type: 'state',
  state: { owner: true, mode: 'control', viewers: [], offset: 0, foreground: null, exit: null, columns: 80, rows: 24 },
};

describe('a snapshot', () => {
  it('is acknowledged once, by its end, when its last piece has been parsed', async () => {
    const { flow, acknowledged, parsed } = start();
    flow.restart();
    flow.handle(sync(5_000));
    // More than may be outstanding: the server waits for nothing in between.
    for (let index = 1; index < 12; index += 1) flow.handle(piece(`piece ${index}\r\n`));
    flow.handle(piece('last'));
    await parsed();
    expect(acknowledged).toEqual([]);
    flow.handle(state);
    await parsed();
    expect(acknowledged).toEqual([{ offset: 5_000, line: 'last' }]);
  });

  it('is acknowledged before the output that follows it', async () => {
    const { flow, acknowledged, parsed } = start();
    flow.restart();
    flow.handle(sync(5_000));
    flow.handle(piece('last'));
    flow.handle({ type: 'output', data: new TextEncoder().encode('+more') });
    await parsed();
    expect(acknowledged[0]).toEqual({ offset: 5_000, line: 'last' });
  });

  it('that another one replaced before it was parsed acknowledges nothing of it', async () => {
    const { flow, acknowledged, parsed } = start();
    flow.restart();
    flow.handle(sync(5_000));
    flow.handle(piece('old'));
    flow.handle(state);
    flow.handle(sync(9_000));
    flow.handle(piece('new'));
    await parsed();
    expect(acknowledged).toEqual([]);
    flow.handle(state);
    await parsed();
    expect(acknowledged).toEqual([{ offset: 9_000, line: 'new' }]);
  });
});
