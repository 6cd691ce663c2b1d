import { access } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TERMINAL_PORT } from '@sac/contracts';
import { describeSandbox } from '../supervisor/prepare.ts';
import type { TerminalServerRun } from '../terminal-server/run.ts';
import { readPodConfig, type PodPlaces } from './configuration.ts';
import { PodFailure } from './message.ts';

const SIDECAR_DEADLINE_MS = 15_000;
const LOOK_EVERY_MS = 10;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The CLI's first hooks would be lost without it. A sidecar that does not come stops no terminal: it says so itself. */
const sidecarListens = async (hooksSocket: string): Promise<void> => {
  const deadline = performance.now() + SIDECAR_DEADLINE_MS;
  while (!(await exists(hooksSocket)) && performance.now() < deadline) await delay(LOOK_EVERY_MS);
};

/** What the terminal server of the agent's container runs. @throws PodFailure, errors of files and their checks */
export const agentRun = async (places: PodPlaces, generation: string): Promise<TerminalServerRun> => {
  const { config, layout } = await readPodConfig(places, generation);
  const { launch } = describeSandbox(config, layout);
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
  await sidecarListens(layout.host.hooksSocket);
  return {
    spec: launch,
    terminalListen: { host: '0.0.0.0', port: TERMINAL_PORT },
    controlListen: { path: layout.host.controlSocket },
  };
};
