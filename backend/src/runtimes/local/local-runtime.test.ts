import { access, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { describeRuntime, type ConformanceSubject } from '../conformance.ts';
import type { ObservedSandbox } from '../runtime.ts';

const answers = ({ upstream }: ObservedSandbox): Promise<boolean> =>
  new Promise((resolve) => {
    if (upstream?.kind !== 'unix') return resolve(false);
    const socket = connect(upstream.path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Without its CLI in the catalog and with no way to install it, an agent cannot start. */
describeRuntime('the local runtime', async (): Promise<ConformanceSubject> => {
  const machine = await SandboxMachine.start();
  const markOf = (agentUid: string): string => join(machine.places(agentUid).paths.workspace, 'mark');
  machine.catalog.ensureInstalled = async () => ({ dir: join(machine.dataDir, 'no-such-cli') });
  return {
    runtime: machine.runtime,
    spec: (overrides) => machine.spec(overrides),
    brokenSpec: (overrides) => machine.spec({ cli: 'claude-code', ...overrides }),
    restart: () => machine.restartRuntime(),
    killSandbox: async (agentUid) => {
      process.kill(await machine.supervisorPid(agentUid), 'SIGKILL');
    },
    answers,
    mark: (agentUid) => writeFile(markOf(agentUid), ''),
    marked: (agentUid) =>
      access(markOf(agentUid)).then(
        () => true,
        () => false,
      ),
    close: () => machine.close(),
  };
});
