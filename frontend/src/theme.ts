import type { ITheme } from '@xterm/xterm';
import { darkTheme, type GlobalTheme, type GlobalThemeOverrides } from 'naive-ui';
import overrides from './theme-overrides.json';

/**
 * The only place for colours and fonts. Every token becomes a CSS variable of the same name
 * (`--accent`); the Naive UI overrides beside this file are made of the same values.
 */
const dark = {
  page: '#0e1116',
  panel: '#151a21',
  raised: '#1c232c',
  line: '#2a333e',
  'line-soft': '#202832',
  text: '#e6edf3',
  muted: '#9aa7b4',
  faint: '#8894a2',
  hover: 'rgba(255, 255, 255, .045)',
  pressed: 'rgba(255, 255, 255, .08)',
  accent: '#4f9cf9',
  'accent-text': '#6cadfb',
  'on-accent': '#0a0f16',
  'accent-hover': '#6cadfb',
  'accent-pressed': '#3f86dd',
  'accent-soft': 'rgba(79, 156, 249, .14)',
  working: '#4f9cf9',
  waiting: '#e3b341',
  ready: '#3fb950',
  asleep: '#6e7681',
  failed: '#f85149',
  'waiting-soft': 'rgba(227, 179, 65, .12)',
  'ready-soft': 'rgba(63, 185, 80, .13)',
  'failed-soft': 'rgba(248, 81, 73, .12)',
  'failed-text': '#ff7b72',
  add: 'rgba(63, 185, 80, .15)',
  del: 'rgba(248, 81, 73, .15)',
  shadow: '0 8px 24px rgba(1, 4, 9, .6)',
  scrim: 'rgba(5, 8, 12, .64)',
  't-orange': '#e08d6d',
  't-green': '#57c267',
  't-red': '#ff7b72',
  't-yellow': '#e3b341',
  't-blue': '#6cadfb',
  't-cyan': '#56c8d8',
  't-violet': '#c29bf5',
  't-dim': '#8391a0',
  'c-key': '#c29bf5',
  'c-str': '#8fd19e',
  'c-num': '#e8b86b',
  'c-com': '#8391a0',
  'c-fn': '#6cadfb',
  'c-type': '#56c8d8',
} as const;

export type Token = keyof typeof dark;
export type ThemeName = 'dark' | 'light';

const light: Record<Token, string> = {
  page: '#ffffff',
  panel: '#f6f8fa',
  raised: '#eef1f4',
  line: '#d3dae1',
  'line-soft': '#e4e8ed',
  text: '#1a2129',
  muted: '#55606c',
  faint: '#66717c',
  hover: 'rgba(16, 24, 32, .045)',
  pressed: 'rgba(16, 24, 32, .08)',
  accent: '#1f6fd6',
  'accent-text': '#1a63c4',
  'on-accent': '#ffffff',
  'accent-hover': '#1a63c4',
  'accent-pressed': '#17559f',
  'accent-soft': 'rgba(31, 111, 214, .10)',
  working: '#1f6fd6',
  waiting: '#8a5f00',
  ready: '#17702f',
  asleep: '#6e7681',
  failed: '#c9252d',
  'waiting-soft': 'rgba(191, 135, 0, .13)',
  'ready-soft': 'rgba(26, 127, 55, .10)',
  'failed-soft': 'rgba(201, 37, 45, .08)',
  'failed-text': '#b81f27',
  add: 'rgba(46, 160, 67, .15)',
  del: 'rgba(255, 99, 90, .16)',
  shadow: '0 8px 24px rgba(31, 41, 51, .16)',
  scrim: 'rgba(31, 41, 51, .36)',
  't-orange': '#a8431f',
  't-green': '#116329',
  't-red': '#c9252d',
  't-yellow': '#855c00',
  't-blue': '#1a63c4',
  't-cyan': '#0b6e7f',
  't-violet': '#7a3fc4',
  't-dim': '#616c77',
  'c-key': '#7a3fc4',
  'c-str': '#116329',
  'c-num': '#9a5b00',
  'c-com': '#616c77',
  'c-fn': '#1a63c4',
  'c-type': '#0b6e7f',
};

export const tokens: Record<ThemeName, Readonly<Record<Token, string>>> = { dark, light };

const fonts = {
  ui: '"Inter", system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans", "Noto Sans CJK SC", sans-serif',
  // The bundled ones first: a screen looks the same whatever the viewer's system has.
  mono: '"JetBrains Mono", "SAC Symbols", ui-monospace, Menlo, "DejaVu Sans Mono", monospace',
} as const;
export const monospaceFont = fonts.mono;

const declarations = (entries: Readonly<Record<string, string>>): string =>
  Object.entries(entries)
    .map(([name, value]) => `--${name}: ${value};`)
    .join('');

/** Puts the tokens into the page. A constructed style sheet, because the policy of the page need not allow inline ones. */
export const installTokens = (target: Document): void => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    `:root{color-scheme:dark;${declarations({ ...dark, ...fonts })}}` +
      `:root[data-theme="light"]{color-scheme:light;${declarations(light)}}`,
  );
  target.adoptedStyleSheets = [...target.adoptedStyleSheets, sheet];
};

export const naiveTheme = (name: ThemeName): GlobalTheme | null => (name === 'dark' ? darkTheme : null);

/** On a phone everything that is touched is 44 high, and inputs use 16 px so that iOS does not zoom in. */
const phoneOverrides: GlobalThemeOverrides = {
  common: { heightSmall: '44px', heightMedium: '44px', heightLarge: '44px', heightTiny: '36px' },
  Input: { fontSizeSmall: '16px', fontSizeMedium: '16px', fontSizeLarge: '16px' },
  Dropdown: { optionHeightMedium: '44px' },
};

/** The parts of Naive UI that the mock-ups do not show: a chosen radio button is tinted, not filled, because one button of a screen is. */
const supplement = (name: ThemeName): GlobalThemeOverrides => {
  const t = tokens[name];
  return {
    Radio: {
      buttonColor: t.page,
      buttonColorActive: t['accent-soft'],
      buttonTextColorActive: t['accent-text'],
      buttonBorderColorActive: t.accent,
    },
  };
};

export const naiveOverrides = (name: ThemeName, phone: boolean): GlobalThemeOverrides => {
  const base = { ...(overrides[name] as GlobalThemeOverrides), ...supplement(name) };
  if (!phone) return base;
  return {
    ...base,
    common: { ...base.common, ...phoneOverrides.common },
    Input: { ...base.Input, ...phoneOverrides.Input },
    Dropdown: { ...base.Dropdown, ...phoneOverrides.Dropdown },
  };
};

/** Selection has its own alpha: xterm.js draws it over the cell background. */
const withAlpha = (hex: string, alpha: string): string => `${hex}${alpha}`;

/** Colours of xterm.js from the same tokens. */
export const terminalTheme = (name: ThemeName): ITheme => {
  const t = tokens[name];
  return {
    background: t.page,
    foreground: t.text,
    cursor: t.text,
    cursorAccent: t.page,
    selectionBackground: withAlpha(t.accent, '52'),
    scrollbarSliderBackground: withAlpha(t.faint, '33'),
    scrollbarSliderHoverBackground: withAlpha(t.faint, '66'),
    scrollbarSliderActiveBackground: withAlpha(t.faint, '99'),
    black: name === 'dark' ? t.raised : t.text,
    red: t['t-red'],
    green: t['t-green'],
    yellow: t['t-yellow'],
    blue: t['t-blue'],
    magenta: t['t-violet'],
    cyan: t['t-cyan'],
    white: name === 'dark' ? t.text : t.muted,
    brightBlack: t['t-dim'],
    brightRed: t['t-red'],
    brightGreen: t['t-green'],
    brightYellow: t['t-yellow'],
    brightBlue: t['t-blue'],
    brightMagenta: t['t-violet'],
    brightCyan: t['t-cyan'],
    brightWhite: name === 'dark' ? '#ffffff' : t.text,
  };
};
