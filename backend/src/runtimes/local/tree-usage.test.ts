import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { TreeUsage } from './tree-usage.ts';

const MIB = 2 ** 20;
const HELD_BYTES = 64 * MIB;

describe('what runs below a process', () => {
  let child: ChildProcess | null = null;
  afterEach(async () => {
    if (child === null || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    // Its standard input is what the program below waits for.
    child.stdin?.end();
    await ended;
  });

  /** A shell with a program below it that holds memory and keeps a core busy until its input ends. */
  const start = async (): Promise<number> => {
    const program =
      `const held = Buffer.alloc(${HELD_BYTES}, 1); process.stdin.resume().on('end', () => process.exit(held[0] - 1));` +
      `console.log('ready'); setInterval(() => { const until = performance.now() + 15; while (performance.now() < until); }, 16);`;
    child = spawn('/bin/sh', ['-c', '"$0" -e "$1"; exit 0', process.execPath, program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout!, 'data');
    return child.pid!;
  };

  it('is found, with what its programs compute and hold', async () => {
    const pid = await start();
    const usage = new TreeUsage();
    const found = await usage.find(pid);
    expect(found).toMatchObject({ cpuLimit: null, memoryLimitBytes: null });
    expect(found!.cpu).toBeGreaterThan(0.02);
    expect(found!.cpu).toBeLessThan(4);
    expect(found!.memoryBytes).toBeGreaterThan(HELD_BYTES);
    expect(found!.memoryBytes).toBeLessThan(HELD_BYTES + 512 * MIB);
    // Several who look at once are told the same, and soon.
    const beganMs = performance.now();
    expect(await Promise.all([usage.find(pid), usage.find(pid)])).toEqual([found, found]);
    expect(performance.now() - beganMs).toBeLessThan(500);
  });

  it('is nothing where there is no such process', async () => {
    const usage = new TreeUsage();
    const pid = await start();
    const ended = once(child!, 'exit');
    child!.stdin?.end();
    await ended;
    expect(await usage.find(pid)).toBeNull();
  });
});

describe('a sandbox of this machine', () => {
  it('says what it takes while it runs', { timeout: 60_000 }, async () => {
    const machine = await SandboxMachine.start();
    const spec = machine.spec();
    await machine.runtime.ensure(spec);
    expect(await machine.runtime.usage?.(spec.agentUid)).toBeNull();
    const state = () => machine.runtime.observed().get(spec.agentUid)?.state;
    await waitFor(
      () => state() === 'running' || undefined,
      30_000,
      () => String(state()),
    );
    const usage = await machine.runtime.usage?.(spec.agentUid);
    expect(usage?.memoryBytes).toBeGreaterThan(10 * MIB);
    expect(usage?.memoryBytes).toBeLessThan(2_048 * MIB);
    await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    expect(await machine.runtime.usage?.(spec.agentUid)).toBeNull();
    await machine.close();
  });
});
