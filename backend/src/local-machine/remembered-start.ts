import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import { writePrivateFile } from './private-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const fileOf = (layout: Layout): string => join(layout.runDir, 'start.json');

const settingsOf = (env: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (name.startsWith('SAC_') && value ? [[name, value]] : [])),
  );

/** Keeps the settings a server was started with, so that `restart` brings back the same one. */
export const rememberStart = (layout: Layout, env: Environment): void => {
  writePrivateFile(fileOf(layout), JSON.stringify(settingsOf(env)));
};

/** `env` with the settings of the last start where it has none of its own; "any free port" is the one it has. */
export const withRememberedStart = (layout: Layout, env: Environment): Environment => {
  if (!existsSync(fileOf(layout))) return env;
  const remembered = JSON.parse(readFileSync(fileOf(layout), 'utf8')) as Record<string, string>;
  const { SAC_PORT: port, ...given } = settingsOf(env);
  return { ...env, ...remembered, ...given, ...(port === undefined || port === '0' ? {} : { SAC_PORT: port }) };
};
