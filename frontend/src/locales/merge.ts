/** Strings of one area: flat, or grouped one level down (`state.word.working`). */
export type Area = Record<string, string | Record<string, string>>;

/** `./en/agent.ts` → `agent`. */
export const mergeAreas = (modules: Record<string, { default: Area }>): Record<string, Area> =>
  Object.fromEntries(
    Object.entries(modules).map(([path, module]) => [
      path.slice(path.lastIndexOf('/') + 1).replace(/\.ts$/, ''),
      module.default,
    ]),
  );
