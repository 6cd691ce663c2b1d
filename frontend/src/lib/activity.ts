import type { Agent, AgentState } from '@sac/contracts';
import { describeFailure } from './failure.ts';
import { relativeTime, shortDuration } from './time.ts';

const dayMs = 24 * 60 * 60 * 1000;

type Translate = (key: string, values?: Record<string, unknown>) => string;

/** The line under an agent's name: a state word, what it does, for how long. Only `detail` may be cut. */
export interface ActivityLine {
  readonly state: AgentState;
  readonly word: string;
  /** Between word and detail: `: ` after waiting and failed, ` · ` else. */
  readonly separator: string;
  readonly detail: string;
  readonly time: string;
}

const phaseOf = (agent: Agent, t: Translate): string => {
  const active = agent.status.phases.find((phase) => phase.state === 'active');
  return active ? t(`state.phase.${active.name}`) : '';
};

const detailOf = (agent: Agent, t: Translate): string => {
  const { status } = agent;
  if (status.state === 'failed') return status.failure ? describeFailure(status.failure, t).short : '';
  if (status.state === 'starting') return phaseOf(agent, t);
  return status.state === 'working' || status.state === 'waiting' ? (status.activity ?? '') : '';
};

const timeOf = (agent: Agent, nowMs: number, t: Translate, locale: string): string => {
  const { state, since } = agent.status;
  if (state === 'asleep' && agent.lastActiveAt === null) return t('state.neverStarted');
  if (state === 'waiting' || state === 'failed' || state === 'stopping') return '';
  const ageMs = nowMs - Date.parse(since);
  return ageMs < dayMs ? shortDuration(ageMs, t) : relativeTime(since, nowMs, t, locale);
};

export const activityLine = (agent: Agent, nowMs: number, t: Translate, locale: string): ActivityLine => {
  const { state } = agent.status;
  const detail = detailOf(agent, t);
  return {
    state,
    word: t(`state.word.${state}`),
    separator: detail === '' ? '' : state === 'waiting' || state === 'failed' ? ': ' : ' · ',
    detail,
    time: timeOf(agent, nowMs, t, locale),
  };
};
