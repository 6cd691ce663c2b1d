import type { SupervisorConfig } from '@sac/contracts';

/** Paths as the CLI sees them: inside the sandbox, or on the host when there is none. */
export interface ProfilePaths {
  readonly home: string;
  readonly workspace: string;
  readonly temporary: string;
  /** XDG_RUNTIME_DIR, where there is one. */
  readonly runtime: string | null;
  /** Read-only for the agent: settings files we write, the hook socket, the conversation id. */
  readonly run: string;
  readonly cliDir: string | null;
  readonly nodePath: string;
  readonly hookScript: string;
}

/** What of a sandbox's configuration a profile needs. */
export type ProfileSpec = Pick<
  SupervisorConfig,
  'agentName' | 'cli' | 'permissionMode' | 'instructions' | 'provider' | 'providerToken' | 'proxy' | 'environment'
>;

/**
 * A file put into the agent's home before its CLI starts. `json-merge` keeps everything the CLI itself wrote
 * there and sets only the given members; `text` replaces the file; `section` puts `content` between two marks at the top
 * and keeps what the agent or its person wrote around them.
 */
export type SeedFile =
  | { readonly kind: 'json-merge'; readonly path: string; readonly members: Readonly<Record<string, unknown>> }
  | { readonly kind: 'text' | 'section'; readonly path: string; readonly content: string };

/**
 * How the sidecar learns what the CLI does. `claude`: hooks and its live state file; `hooks`: hooks alone;
 * `quiet-hooks`: hooks that say nothing before the first prompt, so that readiness is known from the terminal's
 * modes; `none`: only whether the process runs.
 */
export type ActivitySource = 'claude' | 'hooks' | 'quiet-hooks' | 'none';

export interface PreparedCli {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Arguments that continue a conversation; `{id}` stands for its id. They are added to `args`. */
  readonly resumeArgs: readonly string[] | null;
  /** Files below HOME. */
  readonly seed: readonly SeedFile[];
  /** Files below `paths.run`, which the agent cannot change. */
  readonly runFiles: readonly { readonly name: string; readonly content: string }[];
  readonly activity: ActivitySource;
}

export interface CliProfile {
  prepare(spec: ProfileSpec, paths: ProfilePaths): PreparedCli;
}

/** Quotes one word for /bin/sh. */
const shellQuote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Shell command line that CLIs run for a hook event. */
export const hookCommand = (paths: ProfilePaths, cli: string): string =>
  [paths.nodePath, paths.hookScript, `${paths.run}/hooks.sock`, cli].map(shellQuote).join(' ');

export const cliFile = (paths: ProfilePaths, relative: string): string => {
  if (paths.cliDir === null)
    throw new Error('The CLI has no installation folder; install it before preparing its profile.');
  return `${paths.cliDir}/node_modules/${relative}`;
};
