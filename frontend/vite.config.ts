import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

const serverUrl = `http://127.0.0.1:${process.env['SAC_PORT'] ?? '8080'}`;
/** ws-proxy is a process of its own when agents run in a cluster. */
const wsUrl = process.env['SAC_DEV_WS_PORT'] ? `http://127.0.0.1:${process.env['SAC_DEV_WS_PORT']}` : serverUrl;
const brotli = promisify(brotliCompress);
const zip = promisify(gzip);
const compressible = /\.(?:js|css|html|svg|json)$/;
const smallestWorthCompressingBytes = 1024;

/**
 * Writes `x.js.br` and `x.js.gz` beside every text file, so that the server never compresses on the way out. Works on
 * the files as written: other plugins still change the code while the bundle is generated.
 */
const precompress = (): Plugin => ({
  name: 'precompress',
  apply: 'build',
  async writeBundle({ dir = 'dist' }, bundle) {
    const files = Object.keys(bundle).filter((file) => compressible.test(file));
    await Promise.all(files.map((file) => compressFile(join(dir, file))));
  },
});

const compressFile = async (path: string): Promise<void> => {
  const source = await readFile(path);
  if (source.byteLength < smallestWorthCompressingBytes) return;
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  await Promise.all([
    brotli(source, { params }).then((data) => writeFile(`${path}.br`, data)),
    zip(source, { level: 9 }).then((data) => writeFile(`${path}.gz`, data)),
  ]);
};

export default defineConfig({
  root: import.meta.dirname,
  plugins: [vue(), precompress()],
  define: {
    // vue-i18n compiles messages to an AST and never to code, so `script-src 'self'` holds.
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: true,
    __INTLIFY_PROD_DEVTOOLS__: false,
    __VUE_OPTIONS_API__: true,
    __VUE_PROD_DEVTOOLS__: false,
  },
  server: {
    port: 5173,
    strictPort: true,
    host: process.env['SAC_DEV_HOST'] ?? '127.0.0.1',
    proxy: {
      '/api': { target: serverUrl },
      '/health': { target: serverUrl },
      // The relay checks the Origin header; here the page's origin is the dev server's, so it is rewritten.
      '/ws': { target: wsUrl, ws: true, rewriteWsOrigin: true },
    },
  },
  build: {
    target: 'es2023',
    // Fonts and pictures stay files: the content security policy allows no data: fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      // vue-i18n asks Vue for a member that only some builds of it have, and copes when it is missing.
      checks: { importIsUndefined: false },
      output: {
        // The bundler names shared pieces after all pages that use them.
        chunkFileNames: (chunk) => `assets/${chunk.name.startsWith('shared~') ? 'shared' : '[name]'}-[hash].js`,
        codeSplitting: {
          groups: [
            // What every page needs is one file instead of forty; what pages share comes in pieces worth a request.
            { name: 'main', tags: ['$initial'], priority: 2 },
            { name: 'shared', minShareCount: 2, entriesAware: true, entriesAwareMergeThreshold: 24_000, priority: 1 },
          ],
        },
      },
    },
  },
});
