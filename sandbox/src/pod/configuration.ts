import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PodConfiguration, PodEnvironment, podFiles, type podPaths, type SupervisorConfig } from '@sac/contracts';
import { Compile } from 'typebox/compile';
import { layoutOf, type Layout } from '../supervisor/layout.ts';
import { PodFailure } from './message.ts';

/** Folders of the pod; other ones only for tests. */
export type PodPlaces = { readonly [P in keyof typeof podPaths]: string };

const checkConfiguration = Compile(PodConfiguration);
const checkEnvironment = Compile(PodEnvironment);

const MAX_FILE_BYTES = 1024 * 1024;

/** Content of one key of the Secret. @throws the file system's error */
export const readSecret = async (places: PodPlaces, name: string): Promise<string> => {
  const bytes = await readFile(join(places.secrets, name));
  if (bytes.length > MAX_FILE_BYTES)
    throw new Error(`${name} has ${bytes.length} bytes, the limit is ${MAX_FILE_BYTES}`);
  return bytes.toString('utf8');
};

const replaced = (is: number, wanted: string): PodFailure =>
  new PodFailure({
    code: 'generation_replaced',
    reason: `The pod was made for start ${wanted} of the agent, its Secret is of start ${is}.`,
    fix: 'Nothing: the pod is replaced.',
    output: null,
  });

/**
 * What the pod is to be, without any secret. @throws PodFailure when the Secret is of another start of the agent, which
 * happens while it is being replaced
 */
export const readConfiguration = async (places: PodPlaces, generation: string): Promise<PodConfiguration> => {
  const configuration = checkConfiguration.Parse(JSON.parse(await readSecret(places, podFiles.configuration)));
  if (String(configuration.generation) !== generation) throw replaced(configuration.generation, generation);
  return configuration;
};

/** The configuration in the words of the parts that a supervisor uses; here the pod is the isolation. */
const supervisorConfigOf = (
  configuration: PodConfiguration,
  places: PodPlaces,
  secrets: Pick<SupervisorConfig, 'terminalKey' | 'providerToken' | 'environment'>,
): SupervisorConfig => ({
  ...configuration,
  ...secrets,
  internalCredential: '',
  internalSocketPath: '',
  paths: {
    home: places.home,
    workspace: places.workspace,
    temporary: places.temporary,
    state: places.state,
    runDir: places.run,
    logFile: '',
  },
  cliDir: places.cli,
  nodePath: places.node,
  code: { mounts: [], terminalServer: '', hook: `${places.programs}/hook.js`, seed: '' },
  isolation: { kind: 'none' },
  phases: [],
});

const podLayoutOf = (config: SupervisorConfig, places: PodPlaces): Layout => {
  const layout = layoutOf(config);
  return { ...layout, inside: { ...layout.inside, runtime: places.runtime } };
};

export interface PodConfig {
  readonly config: SupervisorConfig;
  readonly layout: Layout;
}

/** Everything the agent's container knows. @throws PodFailure, errors of files and their checks */
export const readPodConfig = async (places: PodPlaces, generation: string): Promise<PodConfig> => {
  const configuration = await readConfiguration(places, generation);
  const environment: unknown = JSON.parse(await readSecret(places, podFiles.environment));
  const token = await readSecret(places, podFiles.providerToken);
  const config = supervisorConfigOf(configuration, places, {
    terminalKey: await readSecret(places, podFiles.terminalKey),
    providerToken: token === '' ? null : token,
    environment: checkEnvironment.Parse(environment),
  });
  return { config, layout: podLayoutOf(config, places) };
};

/** The same for the sidecar, which has none of the agent's secrets. */
export const readSidecarConfig = async (places: PodPlaces, generation: string): Promise<PodConfig> => {
  const configuration = await readConfiguration(places, generation);
  const config = supervisorConfigOf(configuration, places, { terminalKey: '', providerToken: null, environment: [] });
  return { config, layout: podLayoutOf(config, places) };
};
