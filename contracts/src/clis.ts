/** Profiles an agent can run; `shell` is a plain login shell without a model. */
export const cliNames = ['claude-code', 'codex', 'gemini', 'opencode', 'shell'] as const;
export type CliName = (typeof cliNames)[number];
