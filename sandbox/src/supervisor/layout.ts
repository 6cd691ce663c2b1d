import type { SupervisorConfig } from '@sac/contracts';
import type { ProfilePaths } from '../profiles/profile.ts';

/** User and group id inside a user namespace. */
export const INNER_UID = 1000;

/** Where the parts of one sandbox are, on the host and as its processes see them. */
export interface Layout {
  readonly isolated: boolean;
  /** As the CLI sees them. */
  readonly inside: ProfilePaths;
  /** The conversation id file as the terminal server sees it. */
  readonly conversationInside: string;
  readonly host: {
    readonly runDir: string;
    readonly terminalSocket: string;
    readonly controlSocket: string;
    readonly statusSocket: string;
    /** Shown read-only in the sandbox as `/run/sac`. */
    readonly inside: string;
    readonly hooksSocket: string;
    readonly etc: string;
    /** Shown read-only in the sandbox as `/run/sac/state`. */
    readonly shared: string;
    readonly conversation: string;
    readonly delivery: string;
    readonly record: string;
    readonly home: string;
    readonly workspace: string;
    readonly temporary: string;
  };
}

const insidePaths = (config: SupervisorConfig, hostRun: string): ProfilePaths => {
  if (config.isolation.kind === 'none') {
    const { home, workspace, temporary } = config.paths;
    return {
      home,
      workspace,
      temporary,
      runtime: null,
      run: hostRun,
      cliDir: config.cliDir,
      nodePath: config.nodePath,
      hookScript: config.code.hook,
    };
  }
  return {
    home: '/home/agent',
    workspace: '/workspace',
    temporary: '/tmp',
    runtime: null,
    run: '/run/sac',
    cliDir: config.cliDir === null ? null : '/opt/sac/cli',
    nodePath: '/opt/sac/node/bin/node',
    hookScript: config.code.hook,
  };
};

export const layoutOf = (config: SupervisorConfig): Layout => {
  const { runDir, state, home, workspace, temporary } = config.paths;
  const insideDir = `${runDir}/inside`;
  const shared = `${state}/shared`;
  const isolated = config.isolation.kind !== 'none';
  return {
    isolated,
    inside: insidePaths(config, insideDir),
    conversationInside: isolated ? '/run/sac/state/conversation' : `${shared}/conversation`,
    host: {
      runDir,
      terminalSocket: `${runDir}/terminal.sock`,
      controlSocket: `${runDir}/control.sock`,
      statusSocket: `${runDir}/status.sock`,
      inside: insideDir,
      hooksSocket: `${insideDir}/hooks.sock`,
      etc: `${runDir}/etc`,
      shared,
      conversation: `${shared}/conversation`,
      delivery: `${state}/delivery.json`,
      record: `${state}/supervisor.json`,
      home,
      workspace,
      temporary,
    },
  };
};
