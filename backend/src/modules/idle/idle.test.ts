import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { agentBody, createAgentsFixture, terminal, type AgentsFixture, type Person } from '../../../test/agents.ts';

let test: AgentsFixture;
let owner: Person;
beforeAll(async () => {
  test = await createAgentsFixture();
  test.settings.idleMinutes = 60;
  test.settings.agentsPerUser = 100;
  owner = await test.person('ada');
});
afterAll(() => test.close());

const waitFor = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 20_000 });
const runJob = async (): Promise<void> => {
  const job = test.features.jobs.find(({ name }) => name === 'idle');
  await test.database.db.transaction().execute((trx) => job?.run(trx) ?? Promise.reject(new Error('no job')));
};
const ofAgent = (agentId: string) => ({ params: { agentId } });
const ofOwner = (idleMinutes: number | null): Promise<unknown> =>
  idleMinutes === null
    ? test.database.db.deleteFrom('user_settings').where('user_id', '=', owner.id).execute()
    : test.database.db
        .insertInto('user_settings')
        .values({ user_id: owner.id, key: 'idleMinutes', value: JSON.stringify(idleMinutes) })
        .execute();
const reasonOf = (agentId: string) => test.call('explainAwake', owner, ofAgent(agentId));
const desiredOf = async (id: string) =>
  (await test.database.db.selectFrom('agents').select('desired_state').where('id', '=', id).executeTakeFirstOrThrow())
    .desired_state;
/** As if so much time had passed since anybody was there and the CLI came to rest. */
const nobodyFor = (id: string, minutes: number) =>
  test.database.db
    .updateTable('agents')
    .set({ present_at: new Date(Date.now() - minutes * 60_000) })
    .where('id', '=', id)
    .execute();

const awake = async (changes: Parameters<typeof agentBody>[0] & { idleMinutes?: number } = {}) => {
  const { idleMinutes, ...config } = changes;
  const body = { ...agentBody(config), ...(idleMinutes !== undefined && { idleMinutes }) };
  const { id, uid } = await test.call('createAgent', owner, { body });
  const { session } = await test.call('openSession', owner, { body: { agentId: id } });
  const { generation } = await waitFor(() => {
    const observed = test.runtime.observed().get(uid);
    if (observed?.state !== 'running') throw new Error('not running yet');
    return observed;
  });
  const rested = { state: 'ready', since: new Date(Date.now() - 3 * 3_600_000).toISOString(), text: null } as const;
  const report = (changed: Parameters<AgentsFixture['report']>[2] = {}) =>
    test.report(uid, generation, { activity: rested, ...changed });
  await report();
  return { id, uid, sessionId: session.id, report };
};

describe('sleep when idle', () => {
  it('takes an agent nobody uses, says so, and opening it wakes it', async () => {
    const { id, uid } = await awake();
    expect(await reasonOf(id)).toMatchObject({ code: 'present', idleMinutes: 60 });
    await runJob();
    expect(await desiredOf(id)).toBe('awake');
    await nobodyFor(id, 61);
    expect((await reasonOf(id)).code).toBe('idle');
    await runJob();
    await waitFor(() => expect(test.runtime.observed().get(uid)).toBeUndefined());
    expect(await reasonOf(id)).toMatchObject({
      code: 'slept_idle',
      sentence: expect.stringContaining('nobody was there'),
    });
    await test.call('openSession', owner, { body: { agentId: id } });
    expect(await desiredOf(id)).toBe('awake');
    await runJob();
    expect(await desiredOf(id)).toBe('awake');
  });

  it('leaves what works, what waits, what has a job and what has messages', async () => {
    const agents = await Promise.all([awake(), awake(), awake(), awake()]);
    const [working, waiting, busy, queued] = agents;
    const since = new Date().toISOString();
    await working?.report({ activity: { state: 'working', since, text: 'Bash: make' } });
    await waiting?.report({ activity: { state: 'waiting', since, text: 'allow Bash?' } });
    await busy?.report({ terminals: [terminal(), { ...terminal('shell-1'), busy: true }] });
    await test.call('sendPrompt', owner, {
      ...ofAgent(queued?.id ?? ''),
      body: { clientRequestId: 'b'.repeat(20), text: 'later' },
    });
    for (const { id } of agents) await nobodyFor(id, 600);
    await runJob();
    expect(await Promise.all(agents.map(({ id }) => desiredOf(id)))).toEqual(['awake', 'awake', 'awake', 'awake']);
    const codes = await Promise.all(agents.map(async ({ id }) => (await reasonOf(id)).code));
    expect(codes).toEqual(['working', 'waiting', 'foreground_job', 'queued_prompts']);
    await busy?.report({ terminals: [terminal(), { ...terminal('shell-1'), busy: false }] });
    await nobodyFor(busy?.id ?? '', 600);
    await runJob();
    expect(await desiredOf(busy?.id ?? '')).toBe('asleep');
  });

  it('is put off by presence, and not by a page that only reconnects', async () => {
    const { id, sessionId } = await awake();
    await nobodyFor(id, 600);
    await test.call('notePresence', owner, { params: { sessionId } });
    await runJob();
    expect(await desiredOf(id)).toBe('awake');
    await nobodyFor(id, 600);
    await test.call('createTicket', owner, { params: { sessionId, name: 'main' }, body: { mode: 'control' } });
    await runJob();
    expect(await desiredOf(id)).toBe('asleep');
  });

  it('is put off on request, until then or until that is taken back', async () => {
    const { id } = await awake();
    const before = Date.now();
    const kept = await test.call('keepAwake', owner, { ...ofAgent(id), body: { minutes: 90 } });
    expect(Date.parse(kept.keepAwakeUntil ?? '') - before).toBeGreaterThanOrEqual(90 * 60_000 - 1);
    await nobodyFor(id, 600);
    await runJob();
    expect([await desiredOf(id), (await reasonOf(id)).code]).toEqual(['awake', 'kept_awake']);
    expect((await test.call('keepAwake', owner, { ...ofAgent(id), body: { minutes: 0 } })).keepAwakeUntil).toBeNull();
    await runJob();
    expect(await desiredOf(id)).toBe('asleep');
  });

  it('follows the agent before the system, and 0 is never', async () => {
    const [short, never] = [await awake({ idleMinutes: 5 }), await awake({ idleMinutes: 0 })];
    for (const { id } of [short, never]) await nobodyFor(id, 10);
    await runJob();
    expect([await desiredOf(short.id), await desiredOf(never.id)]).toEqual(['asleep', 'awake']);
    expect(await reasonOf(never.id)).toMatchObject({ code: 'never_sleeps', idleMinutes: 0 });
    const changed = await test.call('updateAgent', owner, { ...ofAgent(never.id), body: { idleMinutes: null } });
    expect(changed).toMatchObject({ idleMinutes: null, status: { restartRequired: false } });
  });

  it('follows the account before the system, and the agent before both', async () => {
    const [plain, long] = [await awake(), await awake({ idleMinutes: 120 })];
    await ofOwner(5);
    for (const { id } of [plain, long]) await nobodyFor(id, 10);
    expect(await reasonOf(plain.id)).toMatchObject({ code: 'idle', idleMinutes: 5 });
    await runJob();
    expect([await desiredOf(plain.id), await desiredOf(long.id)]).toEqual(['asleep', 'awake']);
    await ofOwner(null);
    const again = await awake();
    await nobodyFor(again.id, 10);
    await runJob();
    expect(await desiredOf(again.id)).toBe('awake');
  });

  it("is nobody else's to see or to put off", async () => {
    const { id, sessionId } = await awake();
    const stranger = await test.person('eve');
    const asked = [
      () => test.call('explainAwake', stranger, ofAgent(id)),
      () => test.call('keepAwake', stranger, { ...ofAgent(id), body: { minutes: 5 } }),
      () => test.call('notePresence', stranger, { params: { sessionId } }),
    ];
    for (const ask of asked) await expect(ask()).rejects.toMatchObject({ code: 'not_found' });
  });
});
