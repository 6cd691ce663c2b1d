import type { AgentFailure } from '@sac/contracts';
import { i18n } from '../locales/index.ts';
import { wordsFor, type Words } from './errors.ts';

type Translate = (key: string, values?: Record<string, unknown>) => string;

export interface FailureWords {
  readonly title: string;
  /** Title or reason: the one in the language of the page that says more. */
  readonly short: string;
  readonly reason: string;
  readonly fix: Words;
}

/** Words for a start that failed. The reason stays the server's: it is a finding, with values in it. */
export const describeFailure = (failure: AgentFailure, t: Translate): FailureWords => {
  const key = `agent.failed_${failure.code}`;
  const title = i18n.global.te(key) ? t(key) : t('agent.failedTitle');
  return {
    title,
    short: wordsFor(failure.reason, key, t).message,
    reason: failure.reason,
    fix: wordsFor(failure.fix, `agent.fix_${failure.code}`, t),
  };
};
