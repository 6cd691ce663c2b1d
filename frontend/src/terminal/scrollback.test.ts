import { Terminal } from '@xterm/xterm';
import { describe, expect, it } from 'vitest';
import { scrollbackFileName, wholeText } from './scrollback.ts';
import { soundSettings } from './settings.ts';

const write = (terminal: Terminal, text: string): Promise<void> =>
  new Promise((resolve) => terminal.write(text, resolve));

describe('scrollback as a file', () => {
  it('holds all lines kept, joins what the width broke and adds the full-screen program', async () => {
    const terminal = new Terminal({ cols: 10, rows: 3, scrollback: 100, allowProposedApi: true });
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
    await write(terminal, `${lines.join('\r\n')}\r\n\x1b[31mtwelve 字 wide  and more\x1b[0m\r\n`);
    expect(wholeText(terminal)).toBe(`${lines.join('\n')}\ntwelve 字 wide  and more\n`);
    await write(terminal, '\x1b[?1049h\x1b[Hfull');
    expect(wholeText(terminal)).toBe(`${lines.join('\n')}\ntwelve 字 wide  and more\nfull\n`);
    terminal.dispose();
  });

  it('has a name that says what it is', () => {
    const now = new Date(2026, 10, 21, 14, 3, 2);
    expect(scrollbackFileName('Docs site', 'main', now)).toBe('docs-site-main-20261121-140302.txt');
    expect(scrollbackFileName('../..', 'shell-1', now)).toBe('agent-shell-1-20261121-140302.txt');
    expect(scrollbackFileName('文档', 'main', now)).toBe('文档-main-20261121-140302.txt');
  });
});

describe('terminal settings', () => {
  it('knows every renderer and no other', () => {
    const renderers = ['auto', 'webgl', 'dom', 'canvas'].map((renderer) => soundSettings({ renderer }).renderer);
    expect(renderers).toEqual(['auto', 'webgl', 'dom', 'auto']);
  });
});
