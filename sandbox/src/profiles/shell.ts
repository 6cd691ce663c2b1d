import type { CliProfile, PreparedCli } from './profile.ts';

/** A login shell instead of a CLI: for setting a machine up, and for tests of everything but a CLI. */
export const shell: CliProfile = {
  prepare(): PreparedCli {
    return { command: '/bin/bash', args: ['-l'], env: {}, resumeArgs: null, seed: [], runFiles: [], activity: 'none' };
  },
};
