/** Output as terminals really get it: floods, colours, wide characters, redraws, the alternate screen, titles. */
const pieces: readonly ((random: () => number) => string)[] = [
  () => `${'The quick brown fox jumps over the lazy dog. '.repeat(3)}\r\n`,
  (random) => `\x1b[3${Math.floor(random() * 8)};1mcolour ${random()}\x1b[0m\r\n`,
  (random) =>
    `\x1b[38;2;${Math.floor(random() * 256)};10;200;48;5;${Math.floor(random() * 256)}m漢字とかな 😀👍 ${'é'.repeat(9)}\x1b[m\r\n`,
  (random) =>
    `\x1b[${1 + Math.floor(random() * 24)};${1 + Math.floor(random() * 80)}H\x1b[Kredrawn \x1b[4:3;58:5:9mcurly\x1b[m`,
  () =>
    '\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l\x1b[44mfull screen\x1b[K\x1b[m\x1b[10;5H┌──────┐\x1b[11;5H│ menu │\x1b[12;5H└──────┘',
  () => '\x1b[?25h\x1b[?1049l',
  (random) => `\x1b]2;title ${random()}\x07`,
  () => '\x1b]8;id=1;https://example.org/a\x1b\\link\x1b]8;;\x1b\\ \x1b(0lqqk\x1b(B\r\n',
  () => '\x1b[5;15r\x1b[15;1H\n\n\nregion\x1b[r\x1b[24;1H',
  () => '\x1b[?2026h\x1b[3A\x1b[2K⠋ working…\x1b[3B\r\x1b[?2026l',
  () => '\x1b7\x1b[1;1H\x1b[7mstatus\x1b[m\x1b8',
  (random) => `${'x'.repeat(60 + Math.floor(random() * 60))}漢\r\n`,
];

/** About `bytes` of such output; the same for the same random numbers. */
export const sampleOutput = (random: () => number, bytes: number): Buffer => {
  const parts: Buffer[] = [];
  for (let total = 0; total < bytes; total += parts.at(-1)?.length ?? 1) {
    parts.push(Buffer.from(pieces[Math.floor(random() * pieces.length)]?.(random) ?? ''));
  }
  return Buffer.concat(parts);
};
