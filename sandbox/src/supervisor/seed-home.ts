import type { SupervisorConfig } from '@sac/contracts';
import type { SeedFile } from '../profiles/profile.ts';
import type { Layout } from './layout.ts';
import { OutputTail } from './output-tail.ts';
import { spawnInSandbox } from './spawn.ts';

const SEED_TIMEOUT_MS = 30_000;

/** Runs the seeding program in the sandbox. @throws with what it said when it fails or takes longer than 30 s */
export const seedHomeInSandbox = async (
  config: SupervisorConfig,
  layout: Layout,
  files: readonly SeedFile[],
): Promise<void> => {
  if (files.length === 0) return;
  const child = spawnInSandbox(config, layout, {
    command: [layout.inside.nodePath, config.code.seed],
    stdin: 'pipe',
    descriptors: [],
  });
  const tail = new OutputTail();
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => tail.add(bytes));
  const timer = setTimeout(() => child.kill('SIGKILL'), SEED_TIMEOUT_MS);
  try {
    const ended = new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) =>
        resolve(code === 0 ? '' : `it ended with ${signal ?? `exit code ${code}`}`),
      );
    });
    // It may end before it read everything; its exit says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify({ home: layout.inside.home, files }));
    const problem = await ended;
    if (problem !== '') throw new Error(tail.text() ?? `The agent's home could not be prepared: ${problem}.`);
  } finally {
    clearTimeout(timer);
  }
};
