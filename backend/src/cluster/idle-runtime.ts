import type { Runtime } from '../runtimes/runtime.ts';

/** A runtime that has no sandboxes and can make none; everything else of the server works with it. */
export const createIdleRuntime = (): Runtime => ({
  kind: 'kubernetes',
  start: async () => undefined,
  isolation: () => ({ isolated: true, reason: null, fix: null }),
  observed: () => new Map(),
  onChange: () => () => undefined,
  ensure: async () => {
    throw new Error('this server cannot make sandboxes');
  },
  stop: async () => undefined,
  remove: async () => undefined,
  close: async () => undefined,
});
