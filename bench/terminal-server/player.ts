import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { recordedOutput } from '../../sandbox/src/terminal-server/testing/recorded-output.ts';

/** What each terminal shows, and a script that shows it slowly once two bytes were typed. */
export interface Playback {
  readonly output: Buffer;
  /** Writes every `pauseSeconds`. */
  readonly script: (pauseSeconds: number) => string;
  readonly directory: string;
}

/**
 * The recordings of the CLI and of full-screen programs, over and over, as `seconds` of `bytesPerSecond`. Perl: a
 * process of Node for each of two hundred terminals would measure the machine instead.
 */
export const makePlayback = (
  random: () => number,
  { seconds, bytesPerSecond }: { readonly seconds: number; readonly bytesPerSecond: number },
): Playback => {
  const pieces: Buffer[] = [];
  for (let bytes = 0; bytes < seconds * bytesPerSecond; bytes += pieces.at(-1)?.length ?? 1)
    pieces.push(recordedOutput(random));
  const output = Buffer.concat(pieces).subarray(0, seconds * bytesPerSecond);
  const directory = mkdtempSync(join(tmpdir(), 'sac-bench-'));
  const path = join(directory, 'output');
  writeFileSync(path, output);
  const perl = (pauseSeconds: number): string =>
    `open F, "<", "${path}"; while (sysread F, $b, 1 + int rand ${2 * bytesPerSecond * pauseSeconds}) ` +
    `{ for ($o = 0; $o < length $b;) { $o += syswrite STDOUT, $b, length($b) - $o, $o } select undef, undef, undef, ${pauseSeconds} } sleep 10000`;
  return {
    output,
    directory,
    script: (pauseSeconds) =>
      `stty raw -echo; printf READY; head -c 2 > /dev/null; exec perl -e '${perl(pauseSeconds)}'`,
  };
};
