import { spawn, type ChildProcess, type IOType } from 'node:child_process';
import type { SupervisorConfig } from '@sac/contracts';
import { SANDBOX_MARKER } from '../profiles/environment.ts';
import { bubblewrapArgs } from './bubblewrap.ts';
import type { Layout } from './layout.ts';

/** Environment of our own programs in the sandbox; the agent's variables reach only its terminals. */
const ownEnvironment = (config: SupervisorConfig, layout: Layout): Record<string, string> => ({
  HOME: layout.inside.home,
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  TMPDIR: layout.inside.temporary,
  [SANDBOX_MARKER]: config.agentUid,
});

export interface SandboxCommand {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin: 'pipe' | 'ignore';
  /** Descriptors the program gets as 3, 4, … */
  readonly descriptors: readonly number[];
}

/**
 * Runs one of our programs with the rights of the agent, isolated when the configuration says so. Its standard
 * output and error are pipes. With bubblewrap, a further pipe after `descriptors` carries its status.
 */
export const spawnInSandbox = (config: SupervisorConfig, layout: Layout, run: SandboxCommand): ChildProcess => {
  const env = { ...ownEnvironment(config, layout), ...run.env };
  const stdio: (IOType | number)[] = [run.stdin, 'pipe', 'pipe', ...run.descriptors];
  if (config.isolation.kind === 'none') {
    const [file = '', ...args] = run.command;
    // Its own process group, so that it can be ended as one.
    return spawn(file, args, { cwd: layout.inside.workspace, env, stdio, detached: true });
  }
  const args = bubblewrapArgs(config, layout, run.command, { env, statusFd: stdio.length });
  return spawn(config.isolation.bwrapPath, args, { cwd: '/', env: {}, stdio: [...stdio, 'pipe'] });
};

/** Status pipe of `spawnInSandbox`; null without bubblewrap. */
export const statusPipeOf = (child: ChildProcess, descriptors: number) => child.stdio[3 + descriptors] ?? null;
