import { vi } from 'vitest';

/**
 * How long a test waits for what must happen. Vitest's own second is too short where two cores run servers, databases and
 * browsers; a longer wait costs nothing while tests pass.
 */
const WAIT_MS = 20_000;

const { waitFor } = vi;
vi.waitFor = (callback, options = {}) =>
  waitFor(callback, { timeout: WAIT_MS, ...(typeof options === 'number' ? { timeout: options } : options) });
