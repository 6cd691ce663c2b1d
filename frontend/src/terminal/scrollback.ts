import type { IBuffer, Terminal } from '@xterm/xterm';

/** Rows of a buffer as lines of text: what only the width of the screen broke is one line again. */
const linesOf = (buffer: IBuffer): string[] => {
  const lines: string[] = [];
  for (let row = 0; row < buffer.length; row += 1) {
    const line = buffer.getLine(row);
    const continues = buffer.getLine(row + 1)?.isWrapped ?? false;
    // Blanks at the end of a row that goes on are part of the text.
    const text = line?.translateToString(!continues) ?? '';
    if (line?.isWrapped && lines.length > 0) lines.push(`${lines.pop() ?? ''}${text}`);
    else lines.push(text);
  }
  while (lines.at(-1) === '') lines.pop();
  return lines;
};

/** Everything a terminal holds: scrollback and screen, then what a full-screen program shows. */
export const wholeText = ({ buffer }: Pick<Terminal, 'buffer'>): string => {
  const lines = linesOf(buffer.normal);
  if (buffer.active.type === 'alternate') lines.push(...linesOf(buffer.alternate));
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
};

const two = (value: number): string => String(value).padStart(2, '0');

/** `docs-site-main-20261121-140322.txt`, in local time; letters of every script stay, what file systems refuse goes. */
export const scrollbackFileName = (agentName: string, terminal: string, now: Date): string => {
  const words = agentName.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]+/gu, '-');
  const agent = [...words].slice(0, 60).join('').replace(/^-|-$/g, '') || 'agent';
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${agent}-${terminal}-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.txt`;
};
