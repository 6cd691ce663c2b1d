import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const KUBECONFIG = `apiVersion: v1
kind: Config
clusters: [{ name: none, cluster: { server: 'http://127.0.0.1:1' } }]
users: [{ name: nobody, user: {} }]
contexts: [{ name: here, context: { cluster: none, user: nobody } }]
current-context: here
`;

const start = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sac-entry-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'kubeconfig'), KUBECONFIG);
  // A database that takes connections and says nothing.
  const asked = Promise.withResolvers<undefined>();
  const database = createServer((socket) => {
    ends.push(() => socket.destroy());
    asked.resolve(undefined);
  });
  database.listen(0, '127.0.0.1');
  await once(database, 'listening');
  ends.push(() => database.close());
  const secret = randomBytes(32).toString('base64url');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'api-gateway.ts')], {
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: join(folder, 'kubeconfig'),
      SAC_DATA_DIR: folder,
      SAC_PORT: '0',
      SAC_PUBLIC_URL: 'http://sac.example',
      SAC_DATABASE_URL: `postgres://127.0.0.1:${(database.address() as AddressInfo).port}/none`,
      SAC_MASTER_KEY: secret,
      SAC_ACCESS_TOKEN_KEYS: `k1:${secret}`,
      SAC_TERMINAL_TICKET_KEYS: `k1:${secret}`,
      SAC_WS_PROXY_CREDENTIAL: secret,
      SAC_INTERNAL_LISTEN: '127.0.0.1:0',
      SAC_INTERNAL_URL: 'http://sac.example:8082',
      SAC_KUBERNETES_NAMESPACES: 'agents',
      SAC_INSTALL_ID: 'test',
      SAC_AGENT_IMAGE: 'sac-agent:1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ends.push(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  return { child, asked: asked.promise, said: () => said };
};

it('says what it was waiting for when it is ended before it listens', { timeout: 60_000 }, async () => {
  const { child, asked, said } = await start();
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  await Promise.race([asked, ended]);
  child.kill('SIGTERM');
  expect([await ended, said()]).toEqual([0, expect.stringMatching(/ended by SIGTERM before it listened: .*database/)]);
});
