import { podFiles } from '@sac/contracts';
import { profiles } from '../profiles/profiles.ts';
import { Sidecar } from '../sidecar/sidecar.ts';
import type { HttpTarget } from '../sidecar/http.ts';
import type { LogFields } from '../supervisor/log.ts';
import { readSecret, readSidecarConfig, type PodPlaces } from './configuration.ts';

const DEFAULT_HTTP_PORT = 80;

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

/** Starts the sidecar of a pod; it reports until it is closed. @throws PodFailure, errors of files and their checks */
export const startPodSidecar = async ({
  places,
  generation,
  internalUrl,
  log,
}: PodSidecarOptions): Promise<Pick<Sidecar, 'close'>> => {
  const target = targetOf(internalUrl);
  const { config, layout } = await readSidecarConfig(places, generation);
  const sidecar = new Sidecar({
    cli: config.cli,
    gateway: { target, credential: await readSecret(places, podFiles.credential) },
    layout,
    activity: profiles[config.cli].prepare(config, layout.inside).activity,
    log,
    onControlState: () => undefined,
  });
  await sidecar.start();
  return sidecar;
};
