import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

const serverUrl = `http://127.0.0.1:${process.env['SAC_PORT'] ?? '8080'}`;
const compressible = /\.(?:js|css|html|svg|json)$/;
const smallestWorthCompressingBytes = 1024;

/** Writes `x.js.br` and `x.js.gz` beside every text file, so that the server never compresses on the way out. */
const precompress = (): Plugin => ({
  name: 'precompress',
  apply: 'build',
  enforce: 'post',
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (!compressible.test(file.fileName)) continue;
      const source = Buffer.from(file.type === 'chunk' ? file.code : file.source);
      if (source.byteLength < smallestWorthCompressingBytes) continue;
      const br = brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } });
      this.emitFile({ type: 'asset', fileName: `${file.fileName}.br`, source: br });
      this.emitFile({ type: 'asset', fileName: `${file.fileName}.gz`, source: gzipSync(source, { level: 9 }) });
    }
  },
});

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
      '/ws': { target: serverUrl, ws: true, rewriteWsOrigin: true },
    },
  },
  build: {
    target: 'es2023',
    // Fonts and pictures stay files: the content security policy allows no data: fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
  },
});
