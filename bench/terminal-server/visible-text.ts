import type { EmulatorClient } from '../../sandbox/src/terminal-server/testing/emulator-client.ts';

/** What a person sees: the rows of the screen as text. */
export const visibleText = ({ buffer, rows }: EmulatorClient['emulator']): string =>
  Array.from(
    { length: rows },
    (_, row) => buffer.active.getLine(buffer.active.baseY + row)?.translateToString(true) ?? '',
  ).join('\n');
