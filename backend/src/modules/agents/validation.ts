import {
  cliProtocols,
  isReservedEnvName,
  providerPresets,
  type CliName,
  type ModelProvider,
  type ProxySettings,
} from '@sac/contracts';
import { invalidField } from '../../lib/app-error.ts';
import { assertAllowedHost } from '../providers/address-rules.ts';
import type { EnvironmentEntry } from '../../db/agent-tables.ts';

/** The scripted model server takes any token; CLIs insist on having one. */
export const DEMO_TOKEN = 'demo';

export interface ProviderRules {
  readonly demo: boolean;
}

const parseUrl = (path: string, text: string): URL => {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw invalidField(path, 'This is not an http:// or https:// address.');
  }
  return url;
};

/** Path is a JSON pointer into the body, for the field that the form marks. */
export const validateProvider = (
  provider: ModelProvider,
  cli: CliName,
  rules: ProviderRules,
  path = '/provider',
): void => {
  const spoken = cliProtocols[cli];
  if (!spoken.includes(provider.protocol)) {
    const names = spoken.length > 0 ? spoken.join(' or ') : 'no model provider at all';
    throw invalidField(`${path}/protocol`, `The CLI ${cli} speaks ${names}, not ${provider.protocol}.`);
  }
  const known = provider.preset === 'custom' || providerPresets.some((preset) => preset.id === provider.preset);
  if (!known && !(provider.preset === 'demo' && rules.demo)) {
    throw invalidField(`${path}/preset`, `There is no provider preset "${provider.preset}" on this server.`);
  }
  const url = parseUrl(`${path}/baseUrl`, provider.baseUrl);
  if (url.username !== '' || url.password !== '') {
    throw invalidField(
      `${path}/baseUrl`,
      'An address must not contain a user name or password; put the token into its own field.',
    );
  }
  if (url.search !== '' || url.hash !== '')
    throw invalidField(`${path}/baseUrl`, 'A base URL ends with its path: remove everything from "?" or "#" on.');
  assertAllowedHost(url.hostname, `${path}/baseUrl`);
};

export const validateProxy = (proxy: ProxySettings, path = '/proxy'): void => {
  for (const field of ['httpProxy', 'httpsProxy'] as const) {
    const text = proxy[field];
    if (text !== null) assertAllowedHost(parseUrl(`${path}/${field}`, text).hostname, `${path}/${field}`);
  }
};

const validateEnvironment = (environment: readonly EnvironmentEntry[]): void => {
  const seen = new Set<string>();
  environment.forEach(({ name }, index) => {
    const path = `/environment/${index}/name`;
    if (isReservedEnvName(name)) throw invalidField(path, `${name} is set by the server and cannot be changed here.`);
    if (seen.has(name)) throw invalidField(path, `${name} is there twice.`);
    seen.add(name);
  });
};

export interface AgentConfiguration {
  readonly cli: CliName;
  readonly provider: ModelProvider | null;
  readonly proxy: ProxySettings;
  readonly environment: readonly EnvironmentEntry[];
}

/** Rules between fields, which the schema cannot state. Throws AppError invalid_request naming the field. */
export const validateConfiguration = (config: AgentConfiguration, rules: ProviderRules): void => {
  if (config.cli === 'shell') {
    if (config.provider) throw invalidField('/provider', 'A plain shell talks to no model provider; send null.');
  } else if (config.provider) {
    validateProvider(config.provider, config.cli, rules);
  } else {
    throw invalidField('/provider', `The CLI ${config.cli} needs a model provider.`);
  }
  validateProxy(config.proxy);
  validateEnvironment(config.environment);
};
