import { readFileSync } from 'node:fs';

const load = (name: string): Buffer => readFileSync(new URL(`./recordings/${name}.ansi`, import.meta.url));

/** What the CLI and a shell with full-screen programs wrote into terminals of 100 by 30, one after the other, twice. */
export const recordedOutput = (random: () => number): Buffer => {
  const [cli, shell] = [load('claude-code'), load('shell')];
  // Begins anywhere: the cuts then meet another part of the recordings each time.
  const whole = Buffer.concat([cli, shell, cli]);
  const from = Math.floor(random() * cli.length);
  return Buffer.concat([whole.subarray(from), shell]);
};
