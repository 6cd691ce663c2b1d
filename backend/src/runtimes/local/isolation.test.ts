import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesWith, SandboxMachine } from '../../../test/sandbox-machine.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import type { SandboxSpec } from '../runtime.ts';

const CANARY = 'canary-7f3a91';
const MINUTE = 60_000;

/** Runs a script in the agent's own shell and gives what it wrote to the workspace. */
const runInside = async (machine: SandboxMachine, { agentUid }: SandboxSpec, script: string): Promise<string> => {
  const { workspace } = machine.places(agentUid).paths;
  const name = `run-${Math.random().toString(36).slice(2)}`;
  await writeFile(join(workspace, `${name}.sh`), script, { mode: 0o644 });
  await machine.type(agentUid, `(bash ${name}.sh) >${name}.out 2>&1; mv ${name}.out ${name}.done\r`);
  return waitFor(
    () => readFile(join(workspace, `${name}.done`), 'utf8').catch(() => undefined),
    20_000,
    () => `${script} did not end`,
  );
};

const runningShell = async (machine: SandboxMachine, overrides: Partial<SandboxSpec> = {}): Promise<SandboxSpec> => {
  const spec = machine.spec(overrides);
  await machine.runtime.ensure(spec);
  await machine.state(spec.agentUid, 'running');
  await machine.screenShows(spec.agentUid, /[$#]\s*$/); // what is typed before the prompt may be lost
  return spec;
};

describe('a sandbox with bubblewrap', () => {
  let machine: SandboxMachine;
  let spec: SandboxSpec;
  let other: SandboxSpec;
  const run = (script: string): Promise<string> => runInside(machine, spec, script);

  beforeAll(async () => {
    process.env['SAC_TEST_CANARY'] = CANARY;
    machine = await SandboxMachine.start();
    await mkdir(join(machine.dataDir, 'secrets'), { mode: 0o700 });
    await writeFile(join(machine.dataDir, 'secrets/key'), CANARY, { mode: 0o644 });
    spec = await runningShell(machine, {
      environment: [
        { name: 'MY_SETTING', value: 'mine' },
        { name: 'LD_PRELOAD', value: '/evil.so' },
      ],
      providerToken: 'provider-token-1',
    });
    other = await runningShell(machine);
    await writeFile(join(machine.places(other.agentUid).paths.home, 'private'), CANARY, { mode: 0o644 });
  }, 2 * MINUTE);
  afterAll(async () => {
    delete process.env['SAC_TEST_CANARY'];
    await machine.close();
  });

  it('is what this machine offers (CI runs isolated)', () => {
    expect(machine.runtime.isolation()).toEqual({ isolated: true, reason: null, fix: null });
  });

  it('gets an environment built from nothing', async () => {
    const environment = Object.fromEntries(
      (await run('env'))
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    expect(environment).toMatchObject({
      HOME: '/home/agent',
      USER: 'agent',
      MY_SETTING: 'mine',
      LANG: 'C.UTF-8',
      TMPDIR: '/tmp',
    });
    expect(Object.keys(environment)).not.toContain('LD_PRELOAD');
    expect(JSON.stringify(environment)).not.toContain(CANARY);
    expect(JSON.stringify(environment)).not.toContain(spec.terminalKey);
    expect(JSON.stringify(environment)).not.toContain(spec.internalCredential);
  });

  it('is another user without any rights', async () => {
    const text = await run('id -u; grep -E "Cap|NoNewPrivs" /proc/self/status; cat /proc/sys/kernel/hostname');
    const [uid, ...status] = text.trim().split('\n');
    expect(Number(uid)).toBeGreaterThan(0);
    for (const line of status.filter((entry) => entry.startsWith('Cap'))) expect(line).toMatch(/\t0{16}$/);
    expect(text).toMatch(/NoNewPrivs:\t1/);
  });

  it('starts again, and is erased, whatever folders it closed for writing', async () => {
    const closing = await runningShell(machine);
    const close = (folder: string): string =>
      `mkdir -p ${folder}/in && touch ${folder}/in/file && chmod -R a-w ${folder}`;
    expect(
      await runInside(machine, closing, `${close('/tmp/closed')} && ${close('/home/agent/closed')} && echo done`),
    ).toBe('done\n');
    await machine.runtime.ensure({ ...closing, generation: 2 });
    await waitFor(
      () => (machine.runtime.observed().get(closing.agentUid)?.generation === 2 ? true : undefined),
      5_000,
      () => 'no second start',
    );
    await machine.state(closing.agentUid, 'running');
    expect(await runInside(machine, closing, 'ls -A /tmp')).not.toContain('closed');
    await machine.runtime.remove(closing.agentUid);
    await expect(stat(machine.places(closing.agentUid).agent)).rejects.toThrow('ENOENT');
  });

  it('cannot change the machine', async () => {
    const before = await readFile('/proc/sys/kernel/panic', 'utf8');
    const text = await run(
      'echo 7 > /proc/sys/kernel/panic; echo "|/tmp/x" > /proc/sys/kernel/core_pattern; touch /usr/x /etc/x /x /opt/x; echo b > /proc/sysrq-trigger',
    );
    expect(text.match(/Permission denied|Read-only file system|No such file/g)?.length).toBeGreaterThanOrEqual(6);
    expect(await readFile('/proc/sys/kernel/panic', 'utf8')).toBe(before);
  });

  it('sees no file of the server, of another agent or of the machine', async () => {
    const places = [
      machine.dataDir,
      join(machine.dataDir, 'secrets/key'),
      machine.places(other.agentUid).paths.home,
      machine.runDir,
      '/root',
      '/etc/shadow',
      '/etc/ssh',
      '/home/other',
      '/sys',
      '/boot',
    ];
    for (const place of places) expect(await run(`ls -la ${place}`), place).toContain('No such file');
    expect(
      await run(`grep -rs ${CANARY} / --include=private --include=key --include=environ -l 2>/dev/null; echo end`),
    ).toBe('end\n');
  });

  it('sees only its own processes', async () => {
    const pids = (await run('ls /proc | grep -E "^[0-9]+$"')).trim().split('\n').length;
    expect(pids).toBeLessThan(20);
    expect(await run('for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline 2>/dev/null; done')).not.toContain('vitest');
  });

  it('cannot change what decides over it', async () => {
    const text = await run(
      'for f in /run/sac/hooks.sock /run/sac/state/conversation /run/sac/x; do rm -f $f; echo evil > $f; done; ls -ld /run/sac/hooks.sock',
    );
    expect(text).toContain('Read-only file system');
    expect(text).toContain('srw-rw-rw-');
  });

  it('has no secret in an argument of any process', async () => {
    for (const secret of [spec.terminalKey, spec.internalCredential, 'provider-token-1'])
      expect(await processesWith(secret)).toEqual([]);
  });

  it('has a home, a workspace and a /tmp it can write, as somebody with a name', async () => {
    expect(
      await run(
        'set -e; touch ~/a /workspace/b /tmp/c /dev/shm/d; whoami; pwd; cd; pwd; git config user.name; node -v; getent hosts localhost >/dev/null && echo resolved',
      ),
    ).toBe(`agent\n/workspace\n/home/agent\nTester\n${process.version}\nresolved\n`);
    expect((await stat(machine.places(spec.agentUid).paths.home)).mode & 0o077).toBe(0);
  });

  it('ends with everything it started, however detached', async () => {
    const marker = `987${Math.floor(Math.random() * 1e6)}`;
    await run(`(setsid nohup sleep ${marker} >/dev/null 2>&1 &); (sleep ${marker} & disown); sleep 0.2`);
    expect((await processesWith(marker)).length).toBeGreaterThanOrEqual(2);
    await machine.runtime.stop(spec.agentUid, { graceMs: 500 });
    expect(await processesWith(marker)).toEqual([]);
  });
});

describe('a sandbox without bubblewrap', () => {
  let machine: SandboxMachine;
  const reason = 'not here';
  beforeAll(async () => {
    machine = await SandboxMachine.start({
      probe: async () => ({ view: { isolated: false, reason, fix: 'do this' }, configFor: () => ({ kind: 'none' }) }),
    });
  });
  afterAll(() => machine.close());

  it(
    'says so, works, and ends with everything it started, also when its supervisor was killed',
    async () => {
      expect(machine.runtime.isolation()).toMatchObject({ isolated: false, reason });
      const spec = await runningShell(machine);
      const marker = `986${Math.floor(Math.random() * 1e6)}`;
      const environment = await runInside(
        machine,
        spec,
        `env; (setsid nohup sleep ${marker} >/dev/null 2>&1 &); sleep 0.2`,
      );
      expect(environment).toContain(`HOME=${machine.places(spec.agentUid).paths.home}`);
      expect(environment).not.toContain('VITEST');
      await machine.runtime.stop(spec.agentUid, { graceMs: 500 });
      expect(await processesWith(marker)).toEqual([]);

      const next = await runningShell(machine, { agentUid: spec.agentUid, generation: 2 });
      await runInside(machine, next, `(setsid nohup sleep ${marker} >/dev/null 2>&1 &); sleep 0.2`);
      process.kill(await machine.supervisorPid(next.agentUid), 'SIGKILL');
      await waitFor(
        () => (machine.runtime.observed().has(next.agentUid) ? undefined : true),
        20_000,
        () => 'still seen',
      );
      expect(await processesWith(marker)).toEqual([]);
    },
    2 * MINUTE,
  );
});

describe('what goes wrong', () => {
  let machine: SandboxMachine;
  beforeAll(async () => {
    machine = await SandboxMachine.start();
  });
  afterAll(() => machine.close());

  it(
    'a CLI that ends at once, again and again, is given up with its last output',
    async () => {
      const dir = join(machine.dataDir, 'broken');
      const entry = join(dir, 'node_modules/@anthropic-ai/claude-code/bin/claude.exe');
      await mkdir(join(entry, '..'), { recursive: true });
      await writeFile(entry, '#!/bin/sh\necho "cannot work like this"\nexit 3\n', { mode: 0o755 });
      machine.catalog.ensureInstalled = async () => ({ dir });
      const spec = machine.spec({ cli: 'claude-code' });
      await machine.runtime.ensure(spec);
      const { crash, activity } = await machine.gateway.report((report) => report.crash?.gaveUp ?? false, MINUTE);
      expect(activity.state).toBe('crashed');
      expect(crash).toMatchObject({
        exitCode: 3,
        gaveUp: true,
        output: expect.stringContaining('cannot work like this') as string,
      });
      expect(machine.runtime.observed().get(spec.agentUid)?.state).toBe('running');
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    },
    2 * MINUTE,
  );

  it(
    'a supervisor that is killed again and again is given up',
    async () => {
      const spec = machine.spec();
      for (let generation = 1; generation <= 3; generation += 1) {
        await machine.runtime.ensure({ ...spec, generation });
        await machine.state(spec.agentUid, 'running');
        process.kill(await machine.supervisorPid(spec.agentUid), 'SIGKILL');
        if (generation < 3)
          await waitFor(
            () => (machine.runtime.observed().has(spec.agentUid) ? undefined : true),
            20_000,
            () => 'still seen',
          );
      }
      expect((await machine.state(spec.agentUid, 'failed')).failure).toMatchObject({ code: 'sandbox_crash_loop' });
    },
    2 * MINUTE,
  );

  it(
    'files an agent planted in its home lead nowhere',
    async () => {
      const spec = await runningShell(machine);
      const target = join(machine.dataDir, 'target');
      await writeFile(target, 'untouched');
      await runInside(
        machine,
        spec,
        `mkdir -p ~/.claude; ln -s ${target} ~/.claude/CLAUDE.md; ln -s ${target} ~/.claude.json; ln -s / /workspace/uploads`,
      );
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
      await machine.runtime.ensure({ ...spec, generation: 2, cli: 'claude-code', instructions: 'x' });
      await machine.state(spec.agentUid, 'running');
      machine.gateway.uploads.set('u', Buffer.from('x'));
      await machine.gateway.report(() => true);
      const result = await machine.gateway.result(
        machine.gateway.send({ kind: 'writeFile', uploadId: 'u', name: 'escape', sizeBytes: 1 }),
      );
      expect(result.outcome).toBe('failed');
      expect(await readFile(target, 'utf8')).toBe('untouched');
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    },
    2 * MINUTE,
  );

  it('a socket path that is too long is said, not cut', async () => {
    const spec = machine.spec();
    const { placesOf } = await import('./places.ts');
    expect(() => placesOf('/data', `/${'x'.repeat(90)}`, spec.agentUid)).toThrow('use a shorter data directory');
  });

  it(
    'refuses hook connections that never end',
    async () => {
      const spec = await runningShell(machine);
      const text = await runInside(
        machine,
        spec,
        `node -e '
      const s = require("net").connect("/run/sac/hooks.sock"); s.on("error", () => {}); s.on("close", () => console.log("closed"));
      const big = Buffer.alloc(65536, 97); const push = (error) => error || s.write(big, push); push();'`,
      );
      expect(text).toBe('closed\n');
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    },
    MINUTE,
  );
});
