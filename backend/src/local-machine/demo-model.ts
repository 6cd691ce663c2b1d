import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { writePrivateFile } from './private-file.ts';
import { SupervisedChild } from './supervised-child.ts';

export interface DemoModelOptions {
  readonly script: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly logger: Logger;
}

export interface DemoModel {
  readonly child: SupervisedChild;
  readonly url: string;
}

const START_TIMEOUT_MS = 15_000;
const STOP_GRACE_MS = 3_000;

const urlIn = (message: unknown): string | null => {
  if (typeof message !== 'object' || message === null || !('url' in message)) return null;
  return typeof message.url === 'string' && URL.canParse(message.url) ? message.url : null;
};

/** Running agents hold the address in their environment, so the model server keeps its port from start to start. */
const rememberedPort = (path: string): string => {
  if (!existsSync(path)) return '0';
  const port = Number(readFileSync(path, 'utf8').trim());
  return Number.isInteger(port) && port > 1023 && port < 65_536 ? String(port) : '0';
};

/** Starts the scripted model server; resolves when it listens. */
export const startDemoModel = async (options: DemoModelOptions): Promise<DemoModel> => {
  const portFile = join(options.dataDir, 'demo-model.port');
  const env: Record<string, string> = { SAC_DEMO_MODEL_PORT: rememberedPort(portFile) };
  const listening = Promise.withResolvers<string>();
  const child = new SupervisedChild({
    name: 'demo-model',
    script: options.script,
    env,
    logFile: options.logFile,
    logger: options.logger,
    stopGraceMs: STOP_GRACE_MS,
    onSpawn: (process) => {
      let isListening = false;
      process.once('exit', () => {
        if (!isListening) env['SAC_DEMO_MODEL_PORT'] = '0'; // somebody else has the port now
      });
      process.on('message', (message) => {
        const url = urlIn(message);
        if (url === null) return;
        isListening = true;
        env['SAC_DEMO_MODEL_PORT'] = new URL(url).port; // a crash brings it back at the same address
        writePrivateFile(portFile, new URL(url).port);
        listening.resolve(url);
      });
    },
  });
  const timer = setTimeout(() => {
    listening.reject(
      new Error(`The demo model server did not start within ${START_TIMEOUT_MS} ms; see ${options.logFile}.`),
    );
  }, START_TIMEOUT_MS);
  child.start();
  try {
    return { child, url: await listening.promise };
  } catch (error) {
    await child.stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
};
