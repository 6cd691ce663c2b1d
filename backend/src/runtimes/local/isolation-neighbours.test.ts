import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { SandboxSpec } from '../runtime.ts';

const CANARY = 'canary-41c8d0';

/** Tells in one word per line what a program without scruples could do: `name: done` or `name: <error>`. */
const attack = `
const fs = require('fs'), net = require('net');
const { read, connect, kill } = JSON.parse(fs.readFileSync('/workspace/targets.json', 'utf8'));
const tell = (name, outcome) => console.log(name + ': ' + outcome);
for (const path of read) {
  try { fs.readFileSync(path); tell('read ' + path, 'done'); } catch (error) { tell('read ' + path, error.code); }
  try { fs.writeFileSync(path, 'x'); tell('write ' + path, 'done'); } catch (error) { tell('write ' + path, error.code); }
}
for (const pid of kill) {
  try { process.kill(pid, 'SIGKILL'); tell('kill ' + pid, 'done'); } catch (error) { tell('kill ' + pid, error.code); }
}
// Through every process it sees, its own start included, to the files behind them.
for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
  for (const path of read) {
    try { fs.readFileSync('/proc/' + pid + '/root' + path); tell('read by ' + pid, 'done'); } catch {}
  }
}
(async () => {
  for (const path of connect) {
    const outcome = await new Promise((resolve) => {
      const socket = net.connect(path, () => { resolve('done'); socket.destroy(); });
      socket.on('error', (error) => resolve(error.code));
    });
    tell('connect ' + JSON.stringify(path), outcome);
  }
  tell('end', 'reached');
})();
`;

describe('an agent that goes for its neighbours and the server', () => {
  let machine: SandboxMachine;
  let attacker: SandboxSpec;
  let victim: SandboxSpec;
  const servers: Server[] = [];

  const shell = async (): Promise<SandboxSpec> => {
    const spec = machine.spec();
    await machine.runtime.ensure(spec);
    await machine.state(spec.agentUid, 'running');
    await machine.screenShows(spec.agentUid, /[$#]\s*$/); // what is typed before the prompt may be lost
    return spec;
  };
  const listen = async (path: string): Promise<void> => {
    const server = createServer((socket) => socket.end());
    servers.push(server);
    server.listen(path);
    await once(server, 'listening');
  };
  const workspace = (): string => machine.places(attacker.agentUid).paths.workspace;
  /** Lines of the attack, each `what: outcome`. */
  const run = async (targets: { read: string[]; connect: string[]; kill: number[] }): Promise<string[]> => {
    await writeFile(join(workspace(), 'targets.json'), JSON.stringify(targets), { mode: 0o644 });
    await writeFile(join(workspace(), 'attack.js'), attack, { mode: 0o644 });
    await machine.type(attacker.agentUid, 'node attack.js >out 2>&1; mv out done\r');
    const text = await waitFor(
      () => readFile(join(workspace(), 'done'), 'utf8').catch(() => undefined),
      30_000,
      () => 'the attack did not end',
    );
    expect(text).toMatch(/^end: reached$/m);
    return text.trim().split('\n').slice(0, -1);
  };

  beforeAll(async () => {
    machine = await SandboxMachine.start();
    for (const folder of ['secrets', 'postgres', 'run/postgres', 'uploads'])
      await mkdir(join(machine.dataDir, folder), { mode: 0o700, recursive: true });
    // Readable by everybody: what keeps the agent away must not be the file's own mode alone.
    for (const file of ['secrets/master.key', 'postgres/PG_VERSION', 'uploads/7'])
      await writeFile(join(machine.dataDir, file), CANARY, { mode: 0o644 });
    for (const socket of ['run/postgres/.s.PGSQL.5432', 'run/manager.sock', 'run/ws-proxy-1.sock'])
      await listen(join(machine.dataDir, socket));
    [attacker, victim] = [await shell(), await shell()];
    await writeFile(join(machine.places(victim.agentUid).paths.home, 'private'), CANARY, { mode: 0o644 });
  }, 120_000);
  afterAll(async () => {
    for (const server of servers) server.close();
    await machine.close();
  });

  it('is isolated at all', () => {
    expect(machine.runtime.isolation().isolated).toBe(true);
  });

  it('reads, connects to and kills nothing that is not its own', { timeout: 60_000 }, async () => {
    const { home, workspace: theirs, state, runDir } = machine.places(victim.agentUid).paths;
    const own = machine.places(attacker.agentUid).paths;
    const supervisors = [await machine.supervisorPid(victim.agentUid), await machine.supervisorPid(attacker.agentUid)];
    const lines = await run({
      read: [
        join(home, 'private'),
        join(theirs, 'x'),
        join(state, 'x'),
        ...['secrets/master.key', 'postgres/PG_VERSION', 'uploads/7'].map((path) => join(machine.dataDir, path)),
        machine.places(victim.agentUid).record,
        machine.places(attacker.agentUid).record,
        '/etc/shadow',
      ],
      connect: [
        ...['run/postgres/.s.PGSQL.5432', 'run/manager.sock', 'run/ws-proxy-1.sock'].map((path) =>
          join(machine.dataDir, path),
        ),
        machine.internalSocketPath,
        ...[runDir, own.runDir].flatMap((dir) =>
          ['terminal.sock', 'control.sock', 'status.sock'].map((name) => join(dir, name)),
        ),
      ],
      kill: [process.pid, ...supervisors],
    });
    expect(lines.length).toBeGreaterThan(30);
    // A number may belong to a process of its own; whom it killed shows below.
    expect(lines.filter((line) => line.endsWith(': done') && !line.startsWith('kill '))).toEqual([]);
    for (const pid of supervisors) expect(() => process.kill(pid, 0)).not.toThrow();
    expect(machine.runtime.observed().get(victim.agentUid)?.state).toBe('running');
  });
});
