import headless from '@xterm/headless';
import { coreOf, type Charset } from './internals.ts';

const DESIGNATORS = '0A4C5RQKYE6ZH7=B';

/** The emulator keeps character sets as shared objects without their names: each is designated once to learn it. */
const learn = (): ReadonlyMap<Charset, string> => {
  const terminal = new headless.Terminal({ cols: 2, rows: 1, scrollback: 0, allowProposedApi: true, logLevel: 'off' });
  const core = coreOf(terminal);
  const names = new Map<Charset, string>();
  for (const designator of DESIGNATORS) {
    core.writeSync(`\x1b(${designator}`);
    names.set(core._charsetService._charsets[0], designator);
  }
  terminal.dispose();
  return names;
};

let names: ReadonlyMap<Charset, string> | null = null;

/** Final byte that designates this character set; `B` (ASCII) for none. */
export const designatorOf = (charset: Charset): string => {
  names ??= learn();
  return names.get(charset) ?? 'B';
};
