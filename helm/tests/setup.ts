import { ensurePromtool } from '../../scripts/prerequisites.ts';

/** For vitest: before the tests, in the process whose environment they get. */
export const setup = ensurePromtool;
