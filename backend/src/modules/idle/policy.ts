import type { AgentStatus, AwakeReason, CliName, Terminal } from '@sac/contracts';
import type { DesiredState, SleptBecause } from '../../db/agent-tables.ts';

/** Everything that decides whether an agent may be put to sleep. */
export interface IdleEvidence {
  readonly desired: DesiredState;
  readonly desiredChangedAt: Date;
  readonly sleptBecause: SleptBecause | null;
  readonly status: Pick<AgentStatus, 'state' | 'since' | 'activity'>;
  readonly cli: CliName;
  /** As the sandbox reported them last. */
  readonly terminals: readonly Terminal[];
  readonly openPrompts: number;
  readonly keepAwakeUntil: Date | null;
  readonly presentAt: Date;
  /** 0: never. */
  readonly idleMinutes: number;
}

const MAIN = 'main';
const MINUTE_MS = 60_000;

/**
 * Shells with a program in the foreground. The main terminal's program is the CLI, which says itself what it does; a
 * sandbox that does not say what its shells do is taken for one in which they work.
 */
const busyTerminal = ({ terminals, cli }: IdleEvidence): Terminal | undefined =>
  terminals.find(
    ({ name, running, busy }) => running && (name === MAIN ? cli === 'shell' && busy === true : busy !== false),
  );

const minutes = (count: number): string => (count === 1 ? 'minute' : `${count} minutes`);

const asleep = (evidence: IdleEvidence): AwakeReason => {
  const { sleptBecause, idleMinutes } = evidence;
  const base = { since: evidence.desiredChangedAt.toISOString(), until: null, detail: null, idleMinutes };
  if (sleptBecause === 'person') return { ...base, code: 'slept_by_person', sentence: 'It was put to sleep by hand.' };
  if (sleptBecause === 'idle')
    return { ...base, code: 'slept_idle', sentence: 'It fell asleep: it had nothing to do and nobody was there.' };
  return { ...base, code: 'asleep', sentence: 'It has not been woken yet.' };
};

/** What holds it awake by itself, whoever is there. */
const ownReason = (evidence: IdleEvidence, base: Omit<AwakeReason, 'code' | 'sentence'>): AwakeReason | null => {
  const { status, openPrompts } = evidence;
  const ofStatus = { ...base, since: status.since, detail: status.activity };
  switch (status.state) {
    case 'working':
      return { ...ofStatus, code: 'working', sentence: 'It is working.' };
    case 'waiting':
      return { ...ofStatus, code: 'waiting', sentence: 'It waits for an answer from you.' };
    case 'failed':
      return { ...ofStatus, code: 'failed', sentence: 'It has failed; what it shows stays until somebody looks.' };
    case 'starting':
    case 'stopping':
    case 'asleep':
      return { ...ofStatus, code: 'starting', sentence: 'It is starting or ending just now.' };
    case 'ready':
      break;
  }
  if (openPrompts > 0) {
    const sentence = `${openPrompts === 1 ? 'A message waits' : `${openPrompts} messages wait`} to be delivered.`;
    return { ...base, code: 'queued_prompts', detail: String(openPrompts), sentence };
  }
  const busy = busyTerminal(evidence);
  if (busy === undefined) return null;
  return {
    ...base,
    code: 'foreground_job',
    detail: busy.name,
    sentence: `A program runs in the terminal ${busy.name}.`,
  };
};

/** Why it is awake or asleep at this moment. Pure. `idle`: nothing holds it awake any more. */
export const explainAwake = (evidence: IdleEvidence, nowMs: number): AwakeReason => {
  const { idleMinutes, keepAwakeUntil, presentAt, status } = evidence;
  if (evidence.desired === 'asleep') return asleep(evidence);
  const base = { since: null, until: null, detail: null, idleMinutes };
  const own = ownReason(evidence, base);
  if (own) return own;
  if (keepAwakeUntil && keepAwakeUntil.getTime() > nowMs)
    return {
      ...base,
      code: 'kept_awake',
      until: keepAwakeUntil.toISOString(),
      sentence: 'It is kept awake on request.',
    };
  if (idleMinutes === 0)
    return {
      ...base,
      code: 'never_sleeps',
      sentence: "It is never put to sleep: that is its setting, or the system's.",
    };
  // Also after work that nobody watched there is time to come and see the result.
  const restingSinceMs = Math.max(presentAt.getTime(), Date.parse(status.since));
  const untilMs = restingSinceMs + idleMinutes * MINUTE_MS;
  const since = new Date(restingSinceMs).toISOString();
  if (untilMs > nowMs) {
    const sentence = `Somebody was there, or it worked, within the last ${minutes(idleMinutes)}.`;
    return { ...base, code: 'present', since, until: new Date(untilMs).toISOString(), sentence };
  }
  const sentence = `It has nothing to do, and nobody was there for the last ${minutes(idleMinutes)}: it falls asleep now.`;
  return { ...base, code: 'idle', since, sentence };
};
