import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Installation } from '../config/installation.ts';
import { MachineFault } from './fault.ts';
import { type Layout, prepareLayout } from './layout.ts';
import { acquireLock, isHolder } from './lock.ts';
import { Machine } from './machine.ts';
import { rememberStart } from './remembered-start.ts';
import type { RuntimeFactory } from './runtime-factory.ts';

export interface RunOptions {
  readonly config: Config;
  readonly installation: Installation;
  readonly layout: Layout;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly createRuntime: RuntimeFactory;
  readonly onProgress: (message: string) => void;
}

/** Takes the lock and starts everything. The lock is given back when the machine has ended. Throws `MachineFault`. */
export const runMachine = async (options: RunOptions): Promise<Machine> => {
  const { layout, installation, config } = options;
  prepareLayout(layout, installation.version);
  const lock = acquireLock(layout.lockFile, installation.version);
  if (isHolder(lock)) {
    throw new MachineFault(
      `SAC is running already with this data directory (pid ${lock.pid}): ${lock.url || 'still starting'}`,
      'Stop it with "make stop", or set SAC_DATA_DIR and SAC_PORT to run a second one.',
    );
  }
  try {
    rememberStart(layout, { ...options.env, SAC_PORT: String(config.listen.port) });
    const machine = await Machine.start(options);
    lock.publish(machine.url);
    machine.ended
      .then(() => lock.release())
      .catch((err: unknown) => options.logger.error({ err }, 'lock could not be released'));
    return machine;
  } catch (error) {
    lock.release();
    throw error;
  }
};
