import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import boundaries from 'eslint-plugin-boundaries';
import importX from 'eslint-plugin-import-x';
import vue from 'eslint-plugin-vue';
import globals from 'globals';
import tseslint from 'typescript-eslint';
import * as vueParser from './scripts/eslint-vue-parser.js';

/** Folders of the architecture, inner ones first: a folder may import what `mayImport` lists and itself. */
const layers = [
  { type: 'contracts', pattern: 'contracts/src', mayImport: [] },
  { type: 'lib', pattern: 'backend/src/lib', mayImport: ['contracts'] },
  { type: 'config', pattern: 'backend/src/config', mayImport: ['contracts', 'lib'] },
  { type: 'db', pattern: 'backend/src/db', mayImport: ['contracts', 'lib'] },
  { type: 'object-store', pattern: 'backend/src/object-store', mayImport: ['contracts', 'lib'] },
  { type: 'terminal-relay', pattern: 'backend/src/terminal-relay', mayImport: ['contracts', 'lib'] },
  {
    type: 'runtime-implementation',
    pattern: 'backend/src/runtimes/{local,kubernetes}',
    mayImport: ['contracts', 'lib', 'runtimes'],
  },
  { type: 'runtimes', pattern: 'backend/src/runtimes', mayImport: ['contracts', 'lib'] },
  {
    type: 'modules',
    pattern: 'backend/src/modules',
    mayImport: ['contracts', 'lib', 'config', 'db', 'object-store', 'runtimes'],
  },
  {
    type: 'app',
    pattern: 'backend/src/app',
    mayImport: ['contracts', 'lib', 'config', 'db', 'object-store', 'runtimes', 'modules'],
  },
  { type: 'demo-model', pattern: 'backend/src/demo-model', mayImport: ['contracts', 'lib'] },
  { type: 'chart-hook', pattern: 'backend/src/chart-hook', mayImport: ['lib'] },
  {
    type: 'local-machine',
    pattern: 'backend/src/local-machine',
    mayImport: ['contracts', 'lib', 'config', 'db', 'object-store', 'terminal-relay', 'runtimes', 'modules', 'app'],
  },
  {
    type: 'cluster',
    pattern: 'backend/src/cluster',
    mayImport: ['contracts', 'lib', 'config', 'db', 'object-store', 'runtimes', 'modules', 'app'],
  },
  {
    type: 'entrypoints',
    pattern: 'backend/src/entrypoints',
    mayImport: [
      'contracts',
      'lib',
      'config',
      'db',
      'object-store',
      'terminal-relay',
      'runtimes',
      'runtime-implementation',
      'modules',
      'app',
      'demo-model',
      'chart-hook',
      'local-machine',
      'cluster',
    ],
  },
  {
    type: 'backend-test',
    pattern: 'backend/test',
    mayImport: [
      'contracts',
      'lib',
      'config',
      'db',
      'runtimes',
      'runtime-implementation',
      'demo-model',
      'modules',
      'app',
      'local-machine',
      'cluster',
      'scripts',
    ],
  },
  { type: 'sandbox', pattern: 'sandbox/src', mayImport: ['contracts'] },
  { type: 'frontend', pattern: 'frontend/src', mayImport: ['contracts'] },
  { type: 'e2e', pattern: 'e2e', mayImport: ['contracts', 'backend-test'] },
  // Measures the real parts with the clients their tests have.
  {
    type: 'bench',
    pattern: 'bench',
    mayImport: ['contracts', 'e2e', 'sandbox', 'backend-test', 'demo-model', 'scripts'],
  },
  // `runtime-implementation` for the pinned versions of the CLIs alone.
  { type: 'scripts', pattern: 'scripts', mayImport: ['contracts', 'runtime-implementation', 'backend-test'] },
  { type: 'chart-tests', pattern: 'helm/tests', mayImport: ['scripts'] },
];

const boundaryPolicies = layers.map(({ type, mayImport }) => ({
  from: { element: { type } },
  allow: { to: { element: { types: { anyOf: [type, ...mayImport] } } } },
}));

const promiseRules = {
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/return-await': ['error', 'in-try-catch'],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/require-await': 'off',
};

const sizeRules = {
  'max-lines': ['error', { max: 500, skipBlankLines: false, skipComments: false }],
  'max-lines-per-function': ['error', { max: 100, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', 4],
};

const processRules = {
  'no-restricted-properties': [
    'error',
    { object: 'process', property: 'env', message: 'Only entrypoints read the environment; take a config value.' },
    { object: 'process', property: 'exit', message: 'Only entrypoints end the process; throw or return instead.' },
  ],
};

const sourceFiles = ['**/*.ts', '**/*.vue'];
const testFiles = [
  '**/*.test.ts',
  'helm/tests/**',
  '**/testing/**',
  '**/conformance.ts',
  'backend/test/**',
  'e2e/**',
  'bench/**',
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      '.toolchain/**',
      '**/test-results/**',
      '**/playwright-report/**',
      'coverage/**',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  { files: ['**/*.{js,mjs}'], languageOptions: { globals: globals.node } },
  {
    files: sourceFiles,
    extends: [...tseslint.configs.strict, ...vue.configs['flat/recommended']],
    languageOptions: {
      parserOptions: {
        parser: tseslint.parser,
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { boundaries, 'import-x': importX },
    settings: {
      // Without these it reads no file of ours and finds no cycle.
      'import-x/extensions': ['.ts', '.vue'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'], 'vue-eslint-parser': ['.vue'] },
      'import-x/resolver-next': [
        createTypeScriptImportResolver({ project: ['*/tsconfig.json'], noWarnOnMultipleProjects: true }),
      ],
      'import/resolver': { typescript: { project: ['*/tsconfig.json'], noWarnOnMultipleProjects: true } },
      'boundaries/elements': layers.map(({ type, pattern }) => ({
        type,
        pattern,
        partialMatch: false,
        exclusive: true,
      })),
      'boundaries/files': [{ category: 'test', pattern: '**/*.test.ts' }],
    },
    rules: {
      ...promiseRules,
      ...sizeRules,
      ...processRules,
      'boundaries/dependencies': [
        'error',
        {
          default: 'disallow',
          policies: [
            { allow: { to: { module: { origin: ['external', 'core'] } } } },
            ...boundaryPolicies,
            // A test may start its subject against real parts of any layer beside it.
            {
              from: { file: { categories: 'test' } },
              allow: {
                to: {
                  element: {
                    types: {
                      anyOf: [
                        'backend-test',
                        'lib',
                        'config',
                        'db',
                        'runtimes',
                        'runtime-implementation',
                        'terminal-relay',
                        'demo-model',
                        'contracts',
                      ],
                    },
                  },
                },
              },
            },
          ],
        },
      ],
      'import-x/no-cycle': 'error',
      'no-undef': 'off', // the compiler knows
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['backend/src/modules/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^\\.\\./[^.].*/?repository\\.ts$',
              message: "Use the other module's service, not its repository.",
            },
          ],
        },
      ],
    },
  },
  // Not for all files: those without it share one program per project, which none of them changes.
  { files: ['**/*.vue'], languageOptions: { parser: vueParser, parserOptions: { extraFileExtensions: ['.vue'] } } },
  {
    files: ['frontend/**/*.{ts,vue}'],
    rules: {
      'no-restricted-properties': 'off',
      'vue/multi-word-component-names': 'off', // App, pages and icons are named after what they are
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/no-v-html': 'error',
      // Prettier owns the layout of templates.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/attributes-order': 'off',
      'vue/require-default-prop': 'off', // optional props with types say it already
    },
  },
  {
    files: ['*/src/entrypoints/**', 'scripts/**', ...testFiles, '*.config.ts', '*/*.config.ts'],
    rules: { 'no-restricted-properties': 'off', 'no-console': 'off' },
  },
  {
    files: testFiles,
    rules: {
      'max-lines-per-function': 'off',
      'vue/one-component-per-file': 'off', // stand-ins for children are one line each
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
