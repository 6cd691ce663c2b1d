import { describe, expect, it } from 'vitest';
import overrides from './theme-overrides.json';
import { naiveOverrides, terminalTheme, tokens, type ThemeName } from './theme.ts';

const channel = (value: number): number => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const luminance = (hex: string): number => {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    channel(Number.parseInt(hex.slice(at, at + 2), 16) / 255),
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one: string, other: string): number => {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};

describe.each<ThemeName>(['dark', 'light'])('%s theme', (name) => {
  const t = tokens[name];

  it('has text that can be read on every surface', () => {
    for (const surface of [t.page, t.panel]) expect(contrast(t.faint, surface)).toBeGreaterThanOrEqual(4.5);
    for (const surface of [t.page, t.panel, t.raised]) {
      for (const text of [t.text, t.muted, t['accent-text'], t['failed-text'], t.waiting, t.ready])
        expect(contrast(text, surface)).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(t['on-accent'], t.accent)).toBeGreaterThanOrEqual(4.5);
  });

  it('keeps the Naive UI overrides and the tokens the same colours', () => {
    const { common } = overrides[name];
    expect([
      common.bodyColor,
      common.cardColor,
      common.primaryColor,
      common.errorColor,
      common.textColorBase,
      common.textColor3,
      common.borderColor,
    ]).toEqual([t.page, t.panel, t.accent, t.failed, t.text, t.muted, t.line]);
  });

  it('makes everything that is touched 44 high on a phone', () => {
    expect(naiveOverrides(name, false).common?.heightMedium).toBe('32px');
    expect(naiveOverrides(name, true).common?.heightMedium).toBe('44px');
  });

  it('gives the terminal its page and text', () => {
    expect(terminalTheme(name)).toMatchObject({ background: t.page, foreground: t.text, cursor: t.text });
  });
});
