import { readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';

export const root = resolve(import.meta.dirname, '..');

/** Absolute, sorted; nothing that was built or installed. */
export const filesBelow = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(dist|node_modules)\//.test(path))
    .sort();

/** Entry points of a workspace: every file in src/entrypoints, and every worker thread's own file (`x.worker.ts`). */
const findEntries = (workspace: string): { in: string; out: string }[] =>
  filesBelow(`${workspace}/src`)
    .filter((file) => /\/entrypoints\/[^/]+\.ts$/.test(file) || file.endsWith('.worker.ts'))
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => ({ in: file, out: basename(file, '.ts') }));

/**
 * An `import` of a built-in module reads all it exports, and those of node:http include a WebSocket that loads undici: 50 ms at every
 * start of every process. As an object it is loaded without them.
 */
export const lazyHttp: Plugin = {
  name: 'lazy-http',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^node:http$/ }, () => ({ path: 'node:http', namespace: 'lazy-http' }));
    onLoad({ filter: /.*/, namespace: 'lazy-http' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
      loader: 'js',
    }));
  },
};

/** How the server side is bundled: one file per entry point, for Node 24. */
export const serverOptions = (workspace: string): BuildOptions => ({
  entryPoints: findEntries(workspace),
  outdir: join(root, workspace, 'dist'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: true,
  logLevel: 'warning',
  // Native code and packages that look for files beside themselves stay in node_modules.
  external: ['@lydell/node-pty', 'pg-native', '@fastify/swagger-ui'],
  plugins: [lazyHttp],
  banner: {
    // CommonJS dependencies inside an ES module still call require().
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
