import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PROMPT_QUEUE_MAX, type Agent, type Prompt } from '@sac/contracts';
import { agentBody, createAgentsFixture, type AgentsFixture } from '../../../test/agents.ts';
import { connectSidecar, done, type TestSidecar } from '../../../test/sidecar.ts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';

let fixture: AgentsFixture;
let ada: AuthenticatedUser;
let agent: Agent;
let sidecars: TestSidecar[] = [];
let counter = 0;

beforeAll(async () => {
  fixture = await createAgentsFixture();
  fixture.settings.agentsPerUser = 100;
  ada = await fixture.person('ada');
});
beforeEach(async () => {
  agent = await fixture.call('createAgent', ada, { body: agentBody() });
});
afterEach(() => {
  for (const sidecar of sidecars) sidecar.disconnect();
  sidecars = [];
});
afterAll(() => fixture.close());

const params = () => ({ params: { agentId: agent.id } });
const send = (text: string, clientRequestId = `request-${(counter += 1)}`) =>
  fixture.call('sendPrompt', ada, { ...params(), body: { clientRequestId, text } });
const list = async () => (await fixture.call('listPrompts', ada, params())).prompts;
const cancel = (prompt: Prompt) =>
  fixture.call('cancelPrompt', ada, { params: { agentId: agent.id, promptId: prompt.id } });
const report = (state: 'ready' | 'working' | 'waiting', generation = 1) =>
  fixture.report(agent.uid, generation, { activity: { state, since: new Date().toISOString(), text: null } });
const run = async (generation = 1): Promise<void> => {
  await fixture.call('openSession', ada, { body: { agentId: agent.id } });
  await vi.waitFor(() =>
    expect(fixture.runtime.observed().get(agent.uid)).toMatchObject({ generation, state: 'running' }),
  );
};
const connect = async (generation = 1): Promise<TestSidecar> => {
  const sidecar = await connectSidecar(fixture.internalUrl, fixture.sidecar(agent.uid, generation));
  sidecars.push(sidecar);
  return sidecar;
};
const received = (sidecar: TestSidecar, count: number) =>
  vi.waitFor(() => expect(sidecar.commands).toHaveLength(count));
const states = async () => (await list()).map(({ state }) => state);
const pause = () => new Promise((resolve) => setTimeout(resolve, 150));

describe('sending a prompt', () => {
  it('gives the same prompt for the same request id, also when sent ten times at once', async () => {
    const sent = await Promise.all(Array.from({ length: 10 }, () => send('hello', 'request-same')));
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    await expect(send('other text', 'request-same')).rejects.toMatchObject({ code: 'conflict' });
    expect(await list()).toHaveLength(1);
  });

  it('measures the limit in bytes', async () => {
    await expect(send('語'.repeat(21_846))).rejects.toMatchObject({
      code: 'payload_too_large',
      details: { limitBytes: 65_536, sizeBytes: 65_538 },
    });
    await expect(send('語'.repeat(21_845))).resolves.toMatchObject({ state: 'queued' });
  });

  it('bounds the queue, also under a flood', async () => {
    const results = await Promise.allSettled(Array.from({ length: PROMPT_QUEUE_MAX + 10 }, () => send('x')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(PROMPT_QUEUE_MAX);
    expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({ code: 'limit_reached' });
  });

  it('keeps as many settled ones as a list can show', async () => {
    const { db } = fixture.database;
    const row = { agent_id: agent.id, author_id: ada.id, text: 'x', state: 'cancelled' as const };
    await db
      .insertInto('prompts')
      .values(Array.from({ length: 205 }, (_, index) => ({ ...row, client_request_id: `old-${index}` })))
      .execute();
    await send('y');
    const kept = await db.selectFrom('prompts').select('client_request_id').where('agent_id', '=', agent.id).execute();
    expect(kept).toHaveLength(201);
    expect(kept).not.toContainEqual({ client_request_id: 'old-4' });
    expect(kept).toContainEqual({ client_request_id: 'old-5' });
  });

  it('takes no more while too many wait for a decision', async () => {
    const { db } = fixture.database;
    const row = { agent_id: agent.id, author_id: ada.id, text: 'x', state: 'unknown' as const };
    await db
      .insertInto('prompts')
      .values(Array.from({ length: PROMPT_QUEUE_MAX }, (_, index) => ({ ...row, client_request_id: `open-${index}` })))
      .execute();
    await expect(send('y')).rejects.toMatchObject({
      code: 'limit_reached',
      message: expect.stringMatching(/decision/),
    });
    await cancel((await list())[0]!);
    await expect(send('y')).resolves.toMatchObject({ state: 'queued' });
  });

  it.each([
    ['white space', ' \n\t ', /nothing but white space/],
    ['control characters', '\u0007\u001b', /nothing but white space/],
    ['invisible characters', '\u200b\ufeff\u00ad', /nothing but white space/],
    ['a NUL', 'a\0b', /NUL/],
  ])('refuses %s and says why', async (_name, text, message) => {
    await expect(send(text)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
  });

  it('is the same prompt again when half a character was sent twice', async () => {
    const first = await send('half \ud83d', 'request-half');
    expect(await send('half \ud83d', 'request-half')).toEqual(first);
  });

  it('waits while the agent is asleep and never wakes it', async () => {
    await send('later');
    await pause();
    expect(await states()).toEqual(['queued']);
    expect(fixture.runtime.observed().has(agent.uid)).toBe(false);
  });
});

describe('delivery', () => {
  it('sends one at a time, in order, when the CLI is ready', async () => {
    for (const text of ['one', 'two', 'three']) await send(text);
    await run();
    const sidecar = await connect();
    await report('working');
    await pause();
    expect(sidecar.commands).toEqual([]);
    await report('ready');
    await received(sidecar, 1);
    await pause();
    expect(sidecar.commands).toHaveLength(1);
    expect(await states()).toEqual(['delivering', 'queued', 'queued']);
    for (let count = 1; count <= 3; count += 1) {
      await received(sidecar, count);
      await sidecar.answer(sidecar.commands[count - 1]?.id ?? '', done);
    }
    await vi.waitFor(async () => expect(await states()).toEqual(['delivered', 'delivered', 'delivered']));
    expect(sidecar.commands.map((command) => command.kind === 'prompt' && command.text)).toEqual([
      'one',
      'two',
      'three',
    ]);
  });

  it.each([
    ['failed', 'the terminal is gone'],
    ['unknown', 'cannot tell'],
  ] as const)(
    'that is %s says why, stays in the list until dismissed, and does not block the next',
    async (outcome, reason) => {
      const first = await send('one');
      await send('two');
      await run();
      const sidecar = await connect();
      await report('ready');
      await received(sidecar, 1);
      await sidecar.answer(sidecar.commands[0]?.id ?? '', { outcome, reason });
      await received(sidecar, 2);
      expect((await list())[0]).toMatchObject({ id: first.id, state: outcome, reason });
      await cancel(first);
      expect(await states()).toEqual(['delivering']);
    },
  );

  it('tells the browser every change', async () => {
    const prompt = await send('one');
    await run();
    const sidecar = await connect();
    await report('ready');
    await received(sidecar, 1);
    await sidecar.answer(sidecar.commands[0]?.id ?? '', done);
    const events = (await fixture.events(ada)).flatMap((event) =>
      event.type === 'prompt' && event.prompt.id === prompt.id ? [event.prompt.state] : [],
    );
    expect(events).toEqual(['queued', 'delivering', 'delivered']);
  });

  it('goes on after the sidecar lost its connection, with the same command', async () => {
    await send('one');
    await run();
    const first = await connect();
    await report('ready');
    await received(first, 1);
    first.disconnect();
    const second = await connect();
    await received(second, 1);
    expect(second.commands).toEqual(first.commands);
  });

  it('goes on after a restart of the sandbox, with the same command, and nothing is sent twice', async () => {
    await send('one');
    await send('two');
    await run();
    const first = await connect();
    await report('ready');
    await received(first, 1);
    await fixture.call('restartAgent', ada, params());
    await vi.waitFor(() =>
      expect(fixture.runtime.observed().get(agent.uid)).toMatchObject({ generation: 2, state: 'running' }),
    );
    await vi.waitFor(async () => expect(await states()).toEqual(['queued', 'queued']));
    const second = await connect(2);
    await report('ready', 2);
    await received(second, 1);
    expect(second.commands[0]?.id).toBe(first.commands[0]?.id);
    await second.answer(second.commands[0]?.id ?? '', done);
    await received(second, 2);
    expect(second.commands[1]).toMatchObject({ text: 'two' });
  });

  it('waits again when the agent is put to sleep meanwhile', async () => {
    await send('one');
    await run();
    const sidecar = await connect();
    await report('ready');
    await received(sidecar, 1);
    await fixture.call('sleepAgent', ada, params());
    await vi.waitFor(async () => expect(await states()).toEqual(['queued']));
  });
});

describe('taking a prompt back', () => {
  it('works while it waits and not once it is under way', async () => {
    const [first, second] = [await send('one'), await send('two')];
    await run();
    const sidecar = await connect();
    await report('ready');
    await received(sidecar, 1);
    await cancel(second);
    await cancel(second);
    await expect(cancel(first)).rejects.toMatchObject({ code: 'conflict' });
    await sidecar.answer(sidecar.commands[0]?.id ?? '', done);
    await expect(cancel(first)).rejects.toMatchObject({ code: 'conflict' });
    await report('ready');
    await pause();
    expect(sidecar.commands).toHaveLength(1);
  });
});

describe('the order of the queue', () => {
  const reorder = async (...prompts: Prompt[]) => {
    const body = { promptIds: prompts.map(({ id }) => id) };
    const answer = await fixture.call('reorderPrompts', ada, { ...params(), body });
    return answer.prompts.map(({ text }) => text);
  };

  it('is what the person makes it; what is not named follows, new ones come last', async () => {
    const [one, two, three] = [await send('one'), await send('two'), await send('three')];
    expect(await reorder(three, one)).toEqual(['three', 'one', 'two']);
    expect(await reorder(three, one)).toEqual(['three', 'one', 'two']);
    await send('four');
    expect((await list()).map(({ text }) => text)).toEqual(['three', 'one', 'two', 'four']);
    expect(await reorder(two)).toEqual(['two', 'three', 'one', 'four']);
    const events = await fixture.events(ada);
    const prompts = events.flatMap((event) =>
      event.type === 'prompt' && event.prompt.agentId === agent.id ? [event.prompt] : [],
    );
    const texts = new Map(prompts.map(({ id, text }) => [id, text]));
    const moves = events.flatMap((event) =>
      event.type === 'prompt-places' && event.agentId === agent.id ? event.places : [],
    );
    const places = new Map([...prompts, ...moves].map(({ id, position }) => [texts.get(id), position]));
    expect([...places].sort(([, a], [, b]) => a - b).map(([text]) => text)).toEqual(['two', 'three', 'one', 'four']);
    // Each text was sent when it was new, and not again.
    expect(prompts).toHaveLength(4);
    await run();
    const sidecar = await connect();
    await report('ready');
    for (let count = 1; count <= 4; count += 1) {
      await received(sidecar, count);
      await sidecar.answer(sidecar.commands[count - 1]?.id ?? '', done);
    }
    expect(sidecar.commands.map((command) => command.kind === 'prompt' && command.text)).toEqual([
      'two',
      'three',
      'one',
      'four',
    ]);
  });

  it('leaves in front what a sandbox may have begun with, so that it is never sent twice', async () => {
    const [one, two] = [await send('one'), await send('two')];
    await run();
    const sidecar = await connect();
    await report('ready');
    await received(sidecar, 1);
    expect(await reorder(two, one)).toEqual(['one', 'two']);
    await fixture.call('sleepAgent', ada, params());
    await vi.waitFor(async () => expect(await states()).toEqual(['queued', 'queued']));
    expect(await reorder(two, one)).toEqual(['one', 'two']);
  });

  it('names only prompts of this agent', async () => {
    const one = await send('one');
    const other = await fixture.call('createAgent', ada, { body: agentBody() });
    const foreign = await fixture.call('sendPrompt', ada, {
      params: { agentId: other.id },
      body: { clientRequestId: 'request-foreign', text: 'x' },
    });
    await expect(reorder(one, foreign)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a prompt that a person has to decide about', () => {
  const settleFirst = async (outcome: 'failed' | 'unknown'): Promise<{ sidecar: TestSidecar; prompt: Prompt }> => {
    await send('one');
    await send('two');
    await run();
    const sidecar = await connect();
    await report('ready');
    await received(sidecar, 1);
    await sidecar.answer(sidecar.commands[0]?.id ?? '', { outcome, reason: 'cannot tell' });
    await received(sidecar, 2);
    const [prompt] = await list();
    if (prompt === undefined) throw new Error('no prompt');
    return { sidecar, prompt };
  };
  const retry = (prompt: Prompt) =>
    fixture.call('retryPrompt', ada, {
      params: { agentId: agent.id, promptId: prompt.id },
      body: { settledAt: prompt.settledAt ?? new Date().toISOString() },
    });

  it.each(['failed', 'unknown'] as const)(
    '(%s) is sent again once, in its place, however often asked',
    async (outcome) => {
      const { sidecar, prompt } = await settleFirst(outcome);
      expect(await retry(prompt)).toMatchObject({ id: prompt.id, state: 'queued', reason: null });
      await expect(retry(prompt)).rejects.toMatchObject({ code: 'conflict' });
      await send('three');
      await sidecar.answer(sidecar.commands[1]?.id ?? '', done);
      await received(sidecar, 3);
      expect(sidecar.commands[2]).toMatchObject({ text: 'one' });
      expect(sidecar.commands[2]?.id).not.toBe(sidecar.commands[0]?.id);
      await sidecar.answer(sidecar.commands[2]?.id ?? '', { outcome, reason: 'again' });
      await received(sidecar, 4);
      // The first decision, repeated by a slow network, is not a second one.
      await expect(retry(prompt)).rejects.toMatchObject({ code: 'conflict' });
      expect((await list())[0]).toMatchObject({ text: 'one', state: outcome, reason: 'again' });
    },
  );

  it('is not sent again after it was taken back', async () => {
    const { prompt } = await settleFirst('unknown');
    await cancel(prompt);
    await expect(retry(prompt)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('stop', () => {
  it('reaches a running agent only', async () => {
    await expect(fixture.call('interrupt', ada, params())).rejects.toMatchObject({ code: 'asleep' });
    await run();
    const sidecar = await connect();
    await fixture.call('interrupt', ada, params());
    await received(sidecar, 1);
    expect(sidecar.commands[0]?.kind).toBe('interrupt');
  });
});
