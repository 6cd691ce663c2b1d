import { chmod, chown, lchown, lstat, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { SupervisorConfig } from '@sac/contracts';
import type { LaunchSpec } from '../launch-spec.ts';
import { baseEnvironment } from '../profiles/environment.ts';
import type { PreparedCli } from '../profiles/profile.ts';
import { profiles } from '../profiles/profiles.ts';
import { INNER_UID, type Layout } from './layout.ts';
import { removeTree } from './remove-tree.ts';

/** Replaces a file in one step; readers see the old or the new one. */
export const writeAtomically = async (path: string, content: string, mode: number): Promise<void> => {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, content, { mode, flag: 'wx' });
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** User id that the agent's processes have on the host; null when it is our own. */
const foreignUid = (config: SupervisorConfig): number | null =>
  config.isolation.kind === 'separate-user' ? config.isolation.hostUid : null;

const visibleUid = (config: SupervisorConfig): number => foreignUid(config) ?? INNER_UID;

const ownTree = async (path: string, uid: number): Promise<void> => {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    await lchown(child, uid, uid);
    if (entry.isDirectory()) await ownTree(child, uid);
  }
  await chown(path, uid, uid);
};

/** Makes a folder that belongs to the agent; a tree of another owner (other way of isolating) is taken over. Nothing of the agent runs yet. */
const agentFolder = async (config: SupervisorConfig, path: string): Promise<void> => {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const uid = foreignUid(config) ?? process.getuid?.() ?? null;
  if (uid === null || (await lstat(path)).uid === uid) return;
  await ownTree(path, uid);
};

/** A name that is safe in a shell prompt and in a git configuration file. */
const plainName = (name: string): string => name.replace(/[^\p{L}\p{N} ._-]/gu, '').trim() || 'agent';

export const gitConfigOf = ({ agentName }: Pick<SupervisorConfig, 'agentName'>): string =>
  `[user]\n\tname = "${plainName(agentName)}"\n\temail = agent@localhost\n[init]\n\tdefaultBranch = main\n`;

const writeEtc = async (config: SupervisorConfig, layout: Layout): Promise<void> => {
  const uid = visibleUid(config);
  const nobody = 65_534;
  await mkdir(layout.host.etc, { recursive: true, mode: 0o755 });
  const files = {
    passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:${uid}:${uid}:agent:/home/agent:/bin/bash\nnobody:x:${nobody}:${nobody}:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: `root:x:0:\nagent:x:${uid}:\nnogroup:x:${nobody}:\n`,
    gitconfig: gitConfigOf(config),
  };
  for (const [name, content] of Object.entries(files))
    await writeAtomically(`${layout.host.etc}/${name}`, content, 0o644);
};

/** Makes the folders of a sandbox that is not running. @throws the file system's error */
export const prepareFolders = async (config: SupervisorConfig, layout: Layout): Promise<void> => {
  const { host } = layout;
  // What an earlier run left in its /tmp goes; a restart of the terminal server alone keeps it.
  await removeTree(host.temporary);
  for (const path of [host.home, host.workspace, host.temporary]) await agentFolder(config, path);
  await mkdir(host.inside, { recursive: true, mode: 0o755 });
  await mkdir(`${host.inside}/state`, { recursive: true, mode: 0o755 });
  await mkdir(host.shared, { recursive: true, mode: 0o755 });
  for (const path of [host.inside, `${host.inside}/state`, host.shared]) await chmod(path, 0o755);
  await writeEtc(config, layout);
};

export interface PreparedSandbox {
  readonly cli: PreparedCli;
  readonly launch: LaunchSpec;
}

/** Works out what runs in the sandbox. */
export const describeSandbox = (config: SupervisorConfig, layout: Layout): PreparedSandbox => {
  const { inside } = layout;
  const cli = profiles[config.cli].prepare(config, inside);
  const env = { ...baseEnvironment(config, inside, config.agentUid), ...cli.env };
  const prompt = `\\[\\e[36m\\]${plainName(config.agentName)}\\[\\e[0m\\]:\\w\\$ `;
  return {
    cli,
    launch: {
      agentUid: config.agentUid,
      generation: config.generation,
      terminalKey: config.terminalKey,
      workspaceDir: inside.workspace,
      main: {
        command: cli.command,
        args: cli.args,
        env: { ...env, ...(config.cli === 'shell' ? { PS1: prompt } : {}) },
        cwd: inside.workspace,
        resume: cli.resumeArgs === null ? null : { idFile: layout.conversationInside, args: cli.resumeArgs },
      },
      shell: { command: '/bin/bash', args: [], env: { ...env, PS1: prompt }, cwd: inside.workspace },
      // In the home, because it has to outlive this sandbox and is written from within it.
      recording:
        config.recording === undefined
          ? null
          : { directory: `${inside.home}/.local/state/sac/recordings`, ...config.recording },
    },
  };
};

/** Works out what runs in the sandbox and writes the files the CLI may read but not change. */
export const prepareCli = async (config: SupervisorConfig, layout: Layout): Promise<PreparedSandbox> => {
  const prepared = describeSandbox(config, layout);
  for (const { name, content } of prepared.cli.runFiles)
    await writeAtomically(`${layout.host.inside}/${name}`, content, 0o644);
  return prepared;
};

/**
 * The launch specification as an open, already deleted file: only a process that inherits the descriptor can
 * read it. The caller closes the handle after the process was started.
 */
export const openLaunchSpec = async (config: SupervisorConfig, layout: Layout, launch: LaunchSpec) => {
  const path = `${layout.host.runDir}/spec.${randomBytes(6).toString('hex')}`;
  const handle = await open(path, 'wx+', 0o600);
  try {
    await rm(path);
    const uid = foreignUid(config);
    if (uid !== null) await handle.chown(uid, uid);
    await handle.writeFile(JSON.stringify(launch));
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
};
