import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { type CommandContext, stop } from './commands.ts';
import { layoutOf, makePrivateDir } from './layout.ts';
import { writePrivateFile } from './private-file.ts';
import { identityOf } from './process-identity.ts';

it('stops what is left when the server ends by itself in that moment', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sac-commands-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const layout = layoutOf(dataDir);
  makePrivateDir(layout.runDir);
  const server = spawn('sleep', ['60']);
  await once(server, 'spawn');
  writePrivateFile(layout.lockFile, JSON.stringify({ ...identityOf(server.pid ?? 0), url: '', version: '1' }));
  const control = createServer((socket) => {
    server.once('exit', () => socket.destroy());
    server.kill('SIGKILL');
  });
  await new Promise<void>((resolve) => control.listen(layout.controlSocket, resolve));
  onTestFinished(() => void control.close());

  const printed: string[] = [];
  const runtime = { start: async () => {}, close: async () => {}, observed: () => new Map() };
  await stop({
    config: {},
    installation: { version: '2' },
    layout,
    logger: pino({ level: 'silent' }),
    createRuntime: () => ({ runtime }),
    print: (line: string) => printed.push(line),
  } as unknown as CommandContext);
  expect(printed).toEqual([expect.stringContaining('SAC has stopped.')]);
});
