import type { CliName } from '@sac/contracts';
import { claudeCode } from './claude-code.ts';
import { codex } from './codex.ts';
import { gemini } from './gemini.ts';
import { opencode } from './opencode.ts';
import type { CliProfile } from './profile.ts';
import { shell } from './shell.ts';

export const profiles: Record<CliName, CliProfile> = { 'claude-code': claudeCode, codex, gemini, opencode, shell };
