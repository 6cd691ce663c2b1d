import { Type } from 'typebox';
import { strict } from './primitives.ts';

export const ENV_NAME_PATTERN = '^[A-Za-z_][A-Za-z0-9_]{0,127}$';

/**
 * Names an agent's own environment variables may not take: the runtime sets them, or they would move
 * credentials, the home or code loading. Compared case-insensitively; an entry ending in `*` is a prefix.
 */
export const reservedEnvNames = [
  'SAC_*',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'PATH',
  'PWD',
  'OLDPWD',
  'TERM',
  'COLORTERM',
  'TMPDIR',
  'LD_*',
  'DYLD_*',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'CLAUDE_CONFIG_DIR',
  'CLAUDE_CODE_TMPDIR',
  'CLAUDECODE',
  'IS_SANDBOX',
  'BASH_ENV',
  'ENV',
  'IFS',
  'SHELLOPTS',
  'ANTHROPIC_BASE_URL',
  'ANTHROPIC_AUTH_TOKEN',
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'GEMINI_API_KEY',
  'GOOGLE_GEMINI_BASE_URL',
  'CODEX_HOME',
  'XDG_*',
] as const;

export const isReservedEnvName = (name: string): boolean => {
  const upper = name.toUpperCase();
  return reservedEnvNames.some((reserved) =>
    reserved.endsWith('*') ? upper.startsWith(reserved.slice(0, -1)) : upper === reserved,
  );
};

export const EnvironmentVariable = strict({
  name: Type.String({ pattern: ENV_NAME_PATTERN, maxLength: 128 }),
  value: Type.String({ maxLength: 8192, pattern: '^[^\\u0000]*$' }),
});
export const MAX_ENVIRONMENT_VARIABLES = 64;
