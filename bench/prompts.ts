/**
 * Prompts of 1 B to 64 KiB through the whole product into the real Claude Code, with the scripted model behind it:
 * HTTP API, queue, sidecar, terminal. Some requests are repeated, as a browser on a bad line does. What the CLI wrote
 * down is compared with what was sent. Prints each figure with its bound; exits 1 when a bound is broken.
 *
 * FULL=1: 10,000 instead of 2,000 prompts. SAC_TEST_PROMPTS=n: so many. SAC_TEST_SEED repeats a run.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROMPT_QUEUE_MAX, type Prompt } from '@sac/contracts';
import { normalised, promptsTaken, randomOf, randomPrompt } from '../backend/test/random-prompts.ts';
import { demoAgent, redeemAdminLink, type ApiUser } from '../e2e/support/api.ts';
import { createInstallation, linkIn, type Installation } from '../e2e/support/sac.ts';
import { report } from './figures.ts';

const total = Number(process.env['SAC_TEST_PROMPTS'] ?? (process.env['FULL'] === '1' ? 10_000 : 2_000));
const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** The server refuses settings of its family that it does not know. */
for (const name of ['SAC_TEST_PROMPTS', 'SAC_TEST_SEED']) delete process.env[name];
/** Each agent gets so many; then the next one, signed in anew, so that no conversation and no session grows too old. */
const AGENTS_AT_ONCE = 2;
const PER_AGENT = Math.min(250, Math.ceil(total / AGENTS_AT_ONCE));
/** A conversation is not made longer than a person would. */
const CLEAR_EVERY = 40;
const REPEATED_SHARE = 0.1;
const LIST_LIMIT = '200';
const POLL_MS = 500;
const STALLED_MS = 180_000;

interface Outcome {
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  /** Came as something that was not sent: cut, merged or changed. */
  readonly changed: number;
  readonly undecided: number;
}

const openOf = (prompts: readonly Prompt[]): Prompt[] =>
  prompts.filter(({ state }) => state === 'queued' || state === 'delivering');

/** Keeps the queue filled until everything is delivered or has waited for three minutes. @returns how many are undecided */
const deliver = async (
  user: ApiUser,
  agentId: string,
  texts: readonly string[],
  random: () => number,
): Promise<number> => {
  const params = { agentId };
  let next = 0;
  let open = PROMPT_QUEUE_MAX;
  let movedAtMs = performance.now();
  for (;;) {
    const { prompts } = await user.call('listPrompts', { params, query: { limit: LIST_LIMIT } as never });
    if (openOf(prompts).length !== open) movedAtMs = performance.now();
    open = openOf(prompts).length;
    if (next === texts.length && open === 0)
      return prompts.filter(({ state }) => state === 'unknown' || state === 'failed').length;
    if (performance.now() - movedAtMs > STALLED_MS) throw new Error(`${open} prompts wait and nothing happens`);
    for (; next < texts.length && open < PROMPT_QUEUE_MAX - 2; next += 1, open += 1) {
      const body = { clientRequestId: randomUUID(), text: texts[next] ?? '' };
      const requests = [user.call('sendPrompt', { params, body })];
      if (random() < REPEATED_SHARE) requests.push(user.call('sendPrompt', { params, body }));
      await Promise.all(requests);
    }
    await sleep(POLL_MS);
  }
};

const countOf = (texts: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
};

const compare = (sent: readonly string[], taken: readonly string[], undecided: number): Outcome => {
  const [wanted, got] = [countOf(sent), countOf(taken)];
  let [lost, doubled, changed] = [0, 0, 0];
  for (const [text, count] of wanted) {
    lost += Math.max(0, count - (got.get(text) ?? 0));
    doubled += Math.max(0, (got.get(text) ?? 0) - count);
  }
  for (const [text, count] of got) if (!wanted.has(text)) changed += count;
  return { sent: sent.length, lost, doubled, changed, undecided };
};

let lastUser: Promise<unknown> = Promise.resolve();
/** One after the other: a new link withdraws the one before. */
const newUser = (installation: Installation, name: string): Promise<ApiUser> => {
  const user = lastUser.then(async () => redeemAdminLink(linkIn(await installation.run('admin-link')), name));
  lastUser = user.catch(() => undefined);
  return user;
};

const runAgent = async (installation: Installation, index: number, count: number): Promise<Outcome> => {
  const random = randomOf(seed + index);
  const texts = Array.from({ length: count }, () => randomPrompt(random));
  const withClears = texts.flatMap((text, at) => (at % CLEAR_EVERY === CLEAR_EVERY - 1 ? [text, '/clear'] : [text]));
  const user = await newUser(installation, `bench-${index}`);
  const body = await demoAgent(user, { name: `bench ${index}`, permissionMode: 'bypass' });
  const agent = await user.call('createAgent', { body });
  await user.call('openSession', { body: { agentId: agent.id } });
  const undecided = await deliver(user, agent.id, withClears, random);
  await sleep(5_000);
  const taken = await promptsTaken(join(installation.dataDir, 'agents', agent.uid, 'home'));
  await user.call('sleepAgent', { params: { agentId: agent.id }, body: {} });
  const outcome = compare(texts.map(normalised), taken.map(normalised), undecided);
  console.log(`  agent ${index}: ${JSON.stringify(outcome)}`);
  return outcome;
};

const installation = await createInstallation({ demo: true });
try {
  await installation.start();
  console.log(`sending ${total} prompts, seed ${seed} …`);
  const counts = Array.from({ length: Math.ceil(total / PER_AGENT) }, (_, index) =>
    Math.min(PER_AGENT, total - index * PER_AGENT),
  );
  const startedAtMs = performance.now();
  const outcomes: Outcome[] = [];
  const pending = counts.entries();
  const worker = async (): Promise<void> => {
    for (const [index, count] of pending) outcomes.push(await runAgent(installation, index, count));
  };
  await Promise.all(Array.from({ length: AGENTS_AT_ONCE }, worker));
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const sum = (pick: (outcome: Outcome) => number): number => outcomes.map(pick).reduce((a, b) => a + b, 0);
  const conditions =
    `${sum(({ sent }) => sent)} prompts of 1 B to 64 KiB, ${REPEATED_SHARE * 100} % of the requests sent twice, /clear every ` +
    `${CLEAR_EVERY}, ${AGENTS_AT_ONCE} agents at once, ${(total / seconds).toFixed(1)} a second, seed ${seed}`;
  report(
    [
      ['lost', sum(({ lost }) => lost)] as const,
      ['doubled', sum(({ doubled }) => doubled)] as const,
      ['truncated, merged or changed', sum(({ changed }) => changed)] as const,
      ['left to a person to decide', sum(({ undecided }) => undecided)] as const,
    ].map(([name, value]) => ({ name: `prompts ${name}`, value, unit: '', atMost: 0, conditions })),
  );
} finally {
  await installation.destroy();
}
