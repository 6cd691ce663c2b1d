import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { sandboxSpec } from '../../../test/sandbox-machine.ts';
import type { Runtime, SandboxSpec } from '../runtime.ts';
import { createLocalRuntime } from './local-runtime.ts';

/** Stands in for a supervisor that is killed, as for want of memory, when it is told to stop: it says nothing of it. */
const SUPERVISOR = `
import { text } from 'node:stream/consumers';
import { createServer } from 'node:net';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
const { agentUid, generation, specHash, phases, paths } = JSON.parse(await text(process.stdin));
for (const path of [paths.runDir, paths.state]) mkdirSync(path, { recursive: true });
const statusSocket = paths.runDir + '/status.sock';
const { pid } = process;
const stat = readFileSync('/proc/self/stat', 'utf8');
const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
const since = new Date().toISOString();
const status = { agentUid, generation, specHash, pid, phases, since, state: 'running', failure: null, terminalSocket: paths.runDir + '/t' };
const record = { agentUid, generation, specHash, pid, startTime, statusSocket };
const server = createServer((socket) => {
  socket.write(JSON.stringify(status) + '\\n');
  socket.on('error', () => undefined).on('data', () => process.kill(pid, 'SIGKILL'));
});
writeFileSync(paths.state + '/supervisor.json', JSON.stringify(record));
rmSync(statusSocket, { force: true });
server.listen(statusSocket);
`;

let dir: string;
let runtime: Runtime;
afterEach(async () => {
  await runtime.stop('agent-1', { graceMs: 0 });
  await runtime.close();
  await rm(dir, { recursive: true, force: true });
});

const spec = (generation: number): SandboxSpec => sandboxSpec({ agentUid: 'agent-1', generation });

it('does nothing to the new sandbox when the old one dies without a word', async () => {
  dir = await mkdtemp(join(tmpdir(), 'sac-replace-'));
  const sandboxDist = join(dir, 'sandbox/dist');
  await mkdir(sandboxDist, { recursive: true });
  await writeFile(join(sandboxDist, 'package.json'), '{"type":"module"}');
  await writeFile(join(sandboxDist, 'supervisor.js'), SUPERVISOR);
  runtime = createLocalRuntime({
    dataDir: dir,
    runDir: join(dir, 'run'),
    internalSocketPath: join(dir, 'run/internal.sock'),
    sandboxDist,
    catalog: { list: () => [], ensureInstalled: () => Promise.reject(new Error('a shell needs none')) },
    logger: pino({ level: 'silent' }),
    probe: () =>
      Promise.resolve({ view: { isolated: true, reason: null, fix: null }, configFor: () => ({ kind: 'none' }) }),
  });
  await runtime.start();
  const running = (generation: number) =>
    vi.waitFor(() => expect(runtime.observed().get('agent-1')).toMatchObject({ generation, state: 'running' }));
  await runtime.ensure(spec(1));
  await running(1);
  await runtime.ensure(spec(2));
  await running(2);
  const record = await readFile(join(dir, 'agents/agent-1/state/supervisor.json'), 'utf8');
  await sleep(1_000);
  await running(2);
  expect(await readFile(join(dir, 'agents/agent-1/state/supervisor.json'), 'utf8')).toBe(record);
});
