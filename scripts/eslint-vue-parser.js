/**
 * The parser of Vue files, which shows TypeScript all of them at the first one. The text that TypeScript sees of a
 * component is not what is on disk; shown one by one, each would make it check the whole frontend from the start.
 */
import { globSync, readFileSync } from 'node:fs';
import * as parser from 'vue-eslint-parser';

const shown = new Set();

const showAll = (options) => {
  const { tsconfigRootDir } = options;
  if (shown.has(tsconfigRootDir)) return;
  shown.add(tsconfigRootDir);
  for (const name of globSync('frontend/src/**/*.vue', { cwd: tsconfigRootDir })) {
    const filePath = `${tsconfigRootDir}/${name}`;
    parser.parseForESLint(readFileSync(filePath, 'utf8'), { ...options, filePath });
  }
};

export const { meta } = parser;

export const parseForESLint = (code, options) => {
  showAll(options);
  return parser.parseForESLint(code, options);
};
