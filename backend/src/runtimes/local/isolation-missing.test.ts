import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { probeIsolation } from './isolation.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sac-programs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a machine that cannot isolate', () => {
  it('says what to install when bubblewrap is missing', async () => {
    const { view, configFor } = await probeIsolation([folder]);
    expect(view).toMatchObject({
      isolated: false,
      reason: expect.stringContaining('bubblewrap is not installed') as string,
      fix: expect.stringContaining('apt-get install bubblewrap') as string,
    });
    expect(configFor('any')).toEqual({ kind: 'none' });
  });

  it('does not believe a bubblewrap that fails', async () => {
    const broken = join(folder, 'broken');
    await mkdir(broken);
    await writeFile(join(broken, 'bwrap'), '#!/bin/sh\necho "No permissions to create new namespace" >&2\nexit 1\n');
    await chmod(join(broken, 'bwrap'), 0o755);
    await symlink('/usr/bin/setpriv', join(broken, 'setpriv'));
    const { view, configFor } = await probeIsolation([broken]);
    expect(view).toMatchObject({
      isolated: false,
      reason: expect.stringContaining('No permissions to create new namespace') as string,
      fix: expect.stringContaining('user namespaces') as string,
    });
    expect(configFor('any')).toEqual({ kind: 'none' });
  });

  it('needs setpriv where the server is root', async () => {
    await symlink('/usr/bin/bwrap', join(folder, 'bwrap'));
    const { view } = await probeIsolation([folder]);
    await rm(join(folder, 'bwrap'));
    const missing = { isolated: false, reason: expect.stringContaining('setpriv') as string };
    // Who is not root gives no rights away.
    expect(view).toMatchObject(isRoot ? missing : { isolated: true });
  });
});

describe('an agent of an admin on such a machine', () => {
  let machine: SandboxMachine;
  beforeAll(async () => {
    machine = await SandboxMachine.start({ probe: () => probeIsolation([folder]) });
  });
  afterAll(() => machine.close());

  it('runs, is said to be not isolated, and gets nothing of the server handed', { timeout: 60_000 }, async () => {
    expect(machine.runtime.isolation()).toMatchObject({ isolated: false });
    process.env['SAC_TEST_CANARY'] = 'canary-90b2';
    const spec = machine.spec({ providerToken: 'provider-token-2' });
    await machine.runtime.ensure(spec);
    await machine.state(spec.agentUid, 'running');
    delete process.env['SAC_TEST_CANARY'];
    await machine.screenShows(spec.agentUid, /[$#]\s*$/);
    const { workspace } = machine.places(spec.agentUid).paths;
    await machine.type(spec.agentUid, 'env > env.tmp; mv env.tmp env.txt\r');
    await expect
      .poll(() => readFile(join(workspace, 'env.txt'), 'utf8').catch(() => ''), { timeout: 20_000 })
      .toContain('HOME=');
    const environment = await readFile(join(workspace, 'env.txt'), 'utf8');
    for (const secret of ['canary-90b2', spec.terminalKey, spec.internalCredential, 'VITEST'])
      expect(environment).not.toContain(secret);
  });
});
