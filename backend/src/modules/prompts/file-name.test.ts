import { describe, expect, it } from 'vitest';
import { safeFileName } from './file-name.ts';

describe('safeFileName', () => {
  it.each([
    ['photo.png', 'photo.png'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ada\\notes.txt', 'notes.txt'],
    ['/', 'upload'],
    ['', 'upload'],
    ['..', 'upload'],
    ['.bashrc', 'bashrc'],
    ['-rf', 'rf'],
    ['a\u0000b\nc.txt', 'a_b_c.txt'],
    ['invoice\u202Egnp.exe', 'invoice_gnp.exe'],
    ['日本語 ファイル.txt', '日本語 ファイル.txt'],
    ['e\u0301.txt', '\u00e9.txt'],
    ['name. ', 'name'],
  ])('%j becomes %j', (offered, expected) => {
    expect(safeFileName(offered)).toBe(expected);
  });

  it('keeps the extension and whole characters of a long name', () => {
    const name = safeFileName(`${'語'.repeat(255)}.jpeg`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(180);
    expect(name).toMatch(/^語+\.jpeg$/);
  });

  it('survives half a surrogate pair', () => {
    expect(safeFileName('\ud800.txt').isWellFormed()).toBe(true);
  });
});
