import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SupervisorConfig } from '@sac/contracts';

/** sun_path holds 108 bytes with its end; a margin for the temporary name a socket is bound under. */
const MAX_SOCKET_PATH_BYTES = 100;
const AGENT_UID = /^[A-Za-z0-9-]{1,64}$/;

/** Whether a name can be an agent's; people put other things beside the agents' folders. */
export const isAgentUid = (name: string): boolean => AGENT_UID.test(name);

/** Folders of one agent. @throws when the uid is not one, so that no path can ever leave `dataDir` */
export const placesOf = (dataDir: string, runDir: string, agentUid: string) => {
  if (!isAgentUid(agentUid)) throw new Error(`Not an agent uid: ${JSON.stringify(agentUid.slice(0, 80))}`);
  const agent = join(dataDir, 'agents', agentUid);
  // Socket paths are short: the uid is replaced by a digest.
  const run = join(runDir, createHash('sha256').update(agentUid).digest('hex').slice(0, 16));
  const longest = `${run}/inside/hooks.sock`;
  if (Buffer.byteLength(longest) > MAX_SOCKET_PATH_BYTES) {
    throw new Error(
      `The socket path ${longest} has ${Buffer.byteLength(longest)} bytes, the limit is ${MAX_SOCKET_PATH_BYTES}: use a shorter data directory.`,
    );
  }
  return {
    agent,
    record: join(agent, 'state/supervisor.json'),
    paths: {
      home: join(agent, 'home'),
      workspace: join(agent, 'workspace'),
      temporary: join(agent, 'tmp'),
      state: join(agent, 'state'),
      runDir: run,
      logFile: join(dataDir, 'logs/agents', `${agentUid}.log`),
    } satisfies SupervisorConfig['paths'],
  };
};

export interface SandboxCode {
  /** Entry file of the supervisor, on the host. */
  readonly supervisor: string;
  /** Bundles that sandboxes of another user must be able to read; empty when running from source. */
  readonly folders: readonly string[];
  codeFor(isolated: boolean): SupervisorConfig['code'];
}

const INSIDE = '/opt/sac/code';

/**
 * Where the sandbox's programs are: bundles in `sandbox/dist`, or the sources when `sandboxDir` is the
 * workspace itself (tests). Only what they need is shown in a sandbox.
 */
export const sandboxCode = (sandboxDir: string): SandboxCode => {
  const bundled = existsSync(join(sandboxDir, 'supervisor.js'));
  const root = dirname(bundled ? dirname(sandboxDir) : sandboxDir);
  const folder = bundled ? 'sandbox/dist' : 'sandbox/src/entrypoints';
  const extension = bundled ? 'js' : 'ts';
  // The PTY library has native code and is not part of the bundle.
  const shown = bundled ? ['sandbox/dist', 'node_modules/@lydell'] : ['sandbox', 'contracts', 'node_modules'];
  const supervisor = join(root, folder, `supervisor.${extension}`);
  if (!existsSync(supervisor))
    throw new Error(`${supervisor} does not exist: the installation is incomplete, build it first.`);
  return {
    supervisor,
    folders: bundled ? shown.map((name) => join(root, name)) : [],
    codeFor: (isolated) => {
      const entry = (name: string): string => join(isolated ? INSIDE : root, folder, `${name}.${extension}`);
      return {
        mounts: isolated ? shown.map((name) => ({ from: join(root, name), to: `${INSIDE}/${name}` })) : [],
        terminalServer: entry('terminal-server'),
        hook: entry('hook'),
        seed: entry('seed'),
      };
    },
  };
};
