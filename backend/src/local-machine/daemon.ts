import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { MachineFault } from './fault.ts';
import { openLog, tailOf } from './log-files.ts';
import type { Welcome } from './control.ts';

/** What a server that runs in the background tells the command that started it. */
export type DaemonMessage =
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready'; readonly welcome: Welcome }
  | { readonly type: 'failed'; readonly text: string };

export interface DaemonOptions {
  readonly script: string;
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  readonly onProgress: (text: string) => void;
}

/** A database that repairs itself after a crash may take ten; then something is wrong. */
const READY_TIMEOUT_MS = 900_000;

const isDaemonMessage = (value: unknown): value is DaemonMessage =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  ['progress', 'ready', 'failed'].includes(String(value.type));

/** Starts `sac run` in the background and waits until it is ready. Throws `MachineFault` with its own words when it is not. */
export const startDaemon = async (options: DaemonOptions): Promise<Welcome> => {
  const log = openLog(options.logFile);
  const child = spawn(process.execPath, [...options.nodeArgs, options.script, 'run'], {
    detached: true,
    cwd: '/', // keeps no folder busy
    env: options.env,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const { promise, resolve, reject } = Promise.withResolvers<Welcome>();
  const lastWords = (): string => tailOf(options.logFile, 2_000).trim();
  const timer = setTimeout(() => {
    reject(
      new MachineFault(
        `The server is not ready after ${READY_TIMEOUT_MS / 60_000} minutes.`,
        `Its log: ${options.logFile}`,
      ),
    );
  }, READY_TIMEOUT_MS);
  child.on('message', (message) => {
    if (!isDaemonMessage(message)) return;
    if (message.type === 'progress') options.onProgress(message.text);
    else if (message.type === 'ready') resolve(message.welcome);
    else reject(new MachineFault(message.text, `Details are in ${options.logFile}`));
  });
  child.once('error', reject);
  child.once('exit', (code, signal) => {
    reject(
      new MachineFault(
        `The server ended while starting (${signal ?? `exit code ${String(code)}`}).`,
        `The end of ${options.logFile}:\n${lastWords()}`,
      ),
    );
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
};
