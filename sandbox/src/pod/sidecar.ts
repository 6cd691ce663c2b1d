import { setTimeout as delay } from 'node:timers/promises';
import { podFiles } from '@sac/contracts';
import { profiles } from '../profiles/profiles.ts';
import { Sidecar } from '../sidecar/sidecar.ts';
import type { HttpTarget } from '../sidecar/http.ts';
import type { LogFields } from '../supervisor/log.ts';
import { readSecret, readSidecarConfig, type PodPlaces } from './configuration.ts';
import { preparePod } from './prepare.ts';

const DEFAULT_HTTP_PORT = 80;
/** Together below the grace of the pod. */
const AGENT_ENDS_WITHIN_MS = 8_000;
const LAST_REPORT_MS = 300;
const LOOK_EVERY_MS = 20;

/** @throws when it is not an address the sidecar can call */
export const targetOf = (internalUrl: string): HttpTarget => {
  const url = URL.parse(internalUrl);
  if (url?.protocol !== 'http:' || url.hostname === '')
    throw new Error(`SAC_INTERNAL_URL is ${JSON.stringify(internalUrl)}; expected http://host:port`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_HTTP_PORT : Number(url.port),
  };
};

export interface PodSidecarOptions {
  readonly places: PodPlaces;
  readonly generation: string;
  readonly internalUrl: string;
  readonly log: (message: string, fields?: LogFields) => void;
}

/**
 * Prepares the pod and starts its sidecar, which reports until it is closed; closing waits for the end of the terminal server.
 * @throws PodFailure, errors of files and their checks
 */
export const startPodSidecar = async ({
  places,
  generation,
  internalUrl,
  log,
}: PodSidecarOptions): Promise<Pick<Sidecar, 'close'>> => {
  const target = targetOf(internalUrl);
  const podConfig = await readSidecarConfig(places, generation);
  const { config, layout } = podConfig;
  await preparePod(podConfig);
  let isAgentRunning = false;
  const sidecar = new Sidecar({
    cli: config.cli,
    gateway: { target, credential: await readSecret(places, podFiles.credential) },
    layout,
    activity: profiles[config.cli].prepare(config, layout.inside).activity,
    log,
    onControlState: (state) => {
      isAgentRunning = state !== null;
    },
  });
  await sidecar.start();
  return {
    close: async () => {
      // The cluster ends both containers at once: how the agent's ended is still to be told.
      const deadline = performance.now() + AGENT_ENDS_WITHIN_MS;
      while (isAgentRunning && performance.now() < deadline) await delay(LOOK_EVERY_MS);
      await delay(LAST_REPORT_MS);
      await sidecar.close();
    },
  };
};
