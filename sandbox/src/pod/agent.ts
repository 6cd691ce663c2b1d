import { access, mkdir } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TERMINAL_PORT } from '@sac/contracts';
import { seedHome } from '../profiles/seed.ts';
import { describeSandbox } from '../supervisor/prepare.ts';
import type { TerminalServerRun } from '../terminal-server/run.ts';
import { readPodConfig, type PodPlaces } from './configuration.ts';
import { PodFailure } from './message.ts';

const PREPARED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 10;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The sidecar makes its socket when it has prepared the pod. The socket stays when it ends, so a terminal server that starts again
 * does not depend on it. @throws PodFailure
 */
const prepared = async (hooksSocket: string): Promise<void> => {
  const deadline = performance.now() + PREPARED_WITHIN_MS;
  while (!(await exists(hooksSocket))) {
    if (performance.now() > deadline)
      throw new PodFailure({
        code: 'sandbox_start_failed',
        reason: `The sidecar did not prepare the sandbox within ${PREPARED_WITHIN_MS / 1_000} s.`,
        fix: 'Restart the agent; if it happens again, the log of the container `sidecar` says why.',
        output: null,
      });
    await delay(LOOK_EVERY_MS);
  }
};

/** What the terminal server of the agent's container runs. @throws PodFailure, errors of files and their checks */
export const agentRun = async (places: PodPlaces, generation: string): Promise<TerminalServerRun> => {
  const { config, layout } = await readPodConfig(places, generation);
  const { cli, launch } = describeSandbox(config, layout);
  const { command, args } = launch.main;
  // Some CLIs are scripts that our Node runs.
  for (const program of [command, ...args.filter((argument) => argument.startsWith(`${places.cli}/`))]) {
    if (!isAbsolute(program) || (await exists(program))) continue;
    throw new PodFailure({
      code: 'cli_missing',
      reason: `The image of this sandbox does not have the program ${program}.`,
      fix: 'Choose another CLI or another image for the agent, then restart it.',
      output: null,
    });
  }
  await prepared(layout.host.hooksSocket);
  // Programs do without it where it cannot be made.
  await mkdir(places.runtime, { mode: 0o700, recursive: true }).catch(() => undefined);
  await seedHome(places.home, cli.seed);
  return {
    spec: launch,
    terminalListen: { host: '0.0.0.0', port: TERMINAL_PORT },
    controlListen: { path: layout.host.controlSocket },
  };
};
