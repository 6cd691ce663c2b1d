import { describe, expect, it } from 'vitest';
import { createI18n } from 'vue-i18n';
import en from './en.ts';
import zh from './zh.ts';

type Tree = { readonly [key: string]: string | Tree };

const flatten = (tree: Tree, prefix = ''): Map<string, string> => {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') found.set(prefix + key, value);
    else for (const [inner, text] of flatten(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
};
const placeholders = (text: string): string[] => [...new Set(text.match(/\{[^}]*\}/g) ?? [])].sort();

const english = flatten(en);
const chinese = flatten(zh);

describe('locales', () => {
  it('have the same strings in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('use the same placeholders', () => {
    const different = [...english].filter(
      ([key, text]) => placeholders(text).join() !== placeholders(chinese.get(key) ?? '').join(),
    );
    expect(different).toEqual([]);
  });

  it('can be compiled', () => {
    const broken: string[] = [];
    for (const [locale, messages] of Object.entries({ en, zh })) {
      const i18n = createI18n({ legacy: false, locale, messages: { [locale]: messages }, missingWarn: false });
      for (const key of flatten(messages).keys()) {
        try {
          i18n.global.t(key, {});
        } catch (error) {
          broken.push(`${locale} ${key}: ${String(error)}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  it('have every string that the code asks for by name', () => {
    const sources = import.meta.glob<string>(['../**/*.vue', '../**/*.ts', '!../**/*.test.ts'], {
      query: '?raw',
      import: 'default',
      eager: true,
    });
    const missing = Object.entries(sources).flatMap(([file, source]) =>
      [...source.matchAll(/(?:\bt\(|keypath=)\s*['"]([a-zA-Z]+\.[\w.]+)['"]/g)]
        .map((match) => match[1] ?? '')
        .filter((key) => !english.has(key))
        .map((key) => `${file}: ${key}`),
    );
    expect(missing).toEqual([]);
  });
});
