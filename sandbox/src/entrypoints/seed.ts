import { text } from 'node:stream/consumers';
import type { SeedFile } from '../profiles/profile.ts';
import { seedHome } from '../profiles/seed.ts';

/** Input on stdin: `{ home, files }` from the supervisor. Exit code 1 and one line on stderr say what failed. */
try {
  const { home, files } = JSON.parse(await text(process.stdin)) as { home: string; files: readonly SeedFile[] };
  await seedHome(home, files);
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`The agent's home could not be prepared: ${reason}\n`);
  process.exitCode = 1;
}
