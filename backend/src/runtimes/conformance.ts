import { startPhaseNames } from '@sac/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ObservedSandbox, Runtime, SandboxSpec } from './runtime.ts';

/** What the suite needs to know of the runtime it tests. */
export interface ConformanceSubject {
  readonly runtime: Runtime;
  /** A specification that starts quickly; another agent at every call unless told otherwise. */
  spec(overrides?: Partial<SandboxSpec>): SandboxSpec;
  /** The same, but it cannot start. */
  brokenSpec(overrides?: Partial<SandboxSpec>): SandboxSpec;
  /** Ends the runtime as a server's shutdown does, and makes a new one on the same sandboxes. */
  restart(): Promise<Runtime>;
  /** Kills a sandbox without the runtime being asked. */
  killSandbox(agentUid: string): Promise<void>;
  /** Resolves true when something accepts connections at the upstream. */
  answers(sandbox: ObservedSandbox): Promise<boolean>;
  /** Leaves a mark in the agent's workspace, and looks for it. */
  mark(agentUid: string): Promise<void>;
  marked(agentUid: string): Promise<boolean>;
  close(): Promise<void>;
}

const START_MS = 60_000;
/** Of one test: it waits for more than one start, and each wait is to say what it waited for. */
const TEST_MS = 3 * START_MS;
const LOOK_EVERY_MS = 20;

const until = async (
  runtime: () => Runtime,
  agentUid: string,
  state: ObservedSandbox['state'],
): Promise<ObservedSandbox> => {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const observed = runtime().observed().get(agentUid);
    if (observed?.state === state) return observed;
    if (Date.now() > deadline) throw new Error(`not ${state}: ${JSON.stringify(observed)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
};

/** The behaviour that `Runtime` promises, run against each implementation. */
export const describeRuntime = (name: string, makeSubject: () => Promise<ConformanceSubject>): void => {
  describe(`${name} is a runtime`, () => {
    let subject: ConformanceSubject;
    let runtime: Runtime;
    let seen: ObservedSandbox[];
    let unsubscribe: () => void;
    const current = (): Runtime => runtime;
    const running = async (spec: SandboxSpec): Promise<ObservedSandbox> => {
      await runtime.ensure(spec);
      return until(current, spec.agentUid, 'running');
    };

    beforeAll(async () => {
      subject = await makeSubject();
      runtime = subject.runtime;
    });
    afterAll(() => subject.close());
    beforeEach(() => {
      seen = [];
      unsubscribe = runtime.onChange((sandbox) => seen.push(sandbox));
    });
    afterEach(() => unsubscribe());

    it(
      'starts a sandbox: phases end in order, then it accepts connections',
      async () => {
        const spec = subject.spec();
        const sandbox = await running(spec);
        expect(sandbox).toMatchObject({
          agentUid: spec.agentUid,
          generation: spec.generation,
          specHash: spec.specHash,
          failure: null,
        });
        expect(sandbox.phases.map((phase) => [phase.name, phase.state])).toEqual(
          startPhaseNames.map((phase) => [phase, 'done']),
        );
        expect(sandbox.phases.every(({ durationMs }) => durationMs !== null && durationMs >= 0)).toBe(true);
        expect(await subject.answers(sandbox)).toBe(true);
        for (const { phases, state } of seen.filter(({ state }) => state === 'starting')) {
          const firstOpen = phases.findIndex((phase) => phase.state !== 'done');
          expect(
            phases.slice(firstOpen + 1).every((phase) => phase.state === 'pending'),
            state,
          ).toBe(true);
        }
        await runtime.stop(spec.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it(
      'does nothing when what is asked for is there',
      async () => {
        const spec = subject.spec();
        await Promise.all([runtime.ensure(spec), runtime.ensure(spec)]);
        const first = await until(current, spec.agentUid, 'running');
        seen.length = 0;
        await runtime.ensure(spec);
        // How long its start took may become known better.
        const same = { ...first, phases: expect.any(Array) };
        expect(runtime.observed().get(spec.agentUid)).toEqual(same);
        for (const each of seen) expect(each).toEqual(same);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it(
      'replaces another generation and keeps the workspace',
      async () => {
        const spec = subject.spec();
        await running(spec);
        await subject.mark(spec.agentUid);
        await runtime.ensure({ ...spec, generation: 2, specHash: 'other' });
        const second = await until(current, spec.agentUid, 'running');
        expect(second).toMatchObject({ generation: 2, specHash: 'other' });
        expect(await subject.answers(second)).toBe(true);
        expect(await subject.marked(spec.agentUid)).toBe(true);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it(
      'stops: all is gone when it resolves, the workspace stays; again and for strangers it is no error',
      async () => {
        const spec = subject.spec();
        const sandbox = await running(spec);
        await subject.mark(spec.agentUid);
        await runtime.stop(spec.agentUid, { graceMs: 500 });
        expect(runtime.observed().has(spec.agentUid)).toBe(false);
        expect(seen.at(-1)?.state).toBe('gone');
        expect(await subject.answers(sandbox)).toBe(false);
        expect(await subject.marked(spec.agentUid)).toBe(true);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
        await runtime.stop(subject.spec().agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it(
      'stops what is only starting',
      async () => {
        const spec = subject.spec();
        await runtime.ensure(spec);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
        expect(runtime.observed().has(spec.agentUid)).toBe(false);
      },
      TEST_MS,
    );

    it(
      'removes the workspace with the sandbox',
      async () => {
        const spec = subject.spec();
        await running(spec);
        await subject.mark(spec.agentUid);
        await runtime.remove(spec.agentUid);
        expect(runtime.observed().has(spec.agentUid)).toBe(false);
        expect(await subject.marked(spec.agentUid)).toBe(false);
        await runtime.remove(spec.agentUid);
      },
      TEST_MS,
    );

    it(
      'finds after a restart of the server what runs, undisturbed',
      async () => {
        const spec = subject.spec();
        const before = await running(spec);
        runtime = await subject.restart();
        const after = runtime.observed().get(spec.agentUid);
        // How long its start took may become known better.
        expect(after).toEqual({ ...before, phases: expect.any(Array) });
        expect(after !== undefined && (await subject.answers(after))).toBe(true);
        await runtime.ensure(spec);
        expect(runtime.observed().get(spec.agentUid)).toEqual(after);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
        expect(await subject.answers(before)).toBe(false);
      },
      TEST_MS,
    );

    it(
      'says when a sandbox was killed, and starts it again when asked',
      async () => {
        const spec = subject.spec();
        const first = await running(spec);
        await subject.killSandbox(spec.agentUid);
        const deadline = Date.now() + START_MS;
        while (runtime.observed().has(spec.agentUid) && Date.now() < deadline)
          await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
        expect(seen.at(-1)).toMatchObject({ agentUid: spec.agentUid, state: 'gone', upstream: null });
        expect(await subject.answers(first)).toBe(false);
        expect(await subject.answers(await running({ ...spec, generation: 2 }))).toBe(true);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it(
      'tells why a start failed, stays failed, and takes a new generation',
      async () => {
        const broken = subject.brokenSpec();
        await runtime.ensure(broken);
        const failed = await until(current, broken.agentUid, 'failed');
        expect(failed.upstream).toBeNull();
        expect(failed.failure?.code).toMatch(/^[a-z_]+$/);
        expect(failed.failure?.reason).not.toBe('');
        expect(failed.failure?.fix).not.toBe('');
        expect(failed.phases.some(({ state }) => state === 'failed')).toBe(true);
        await runtime.ensure(broken);
        expect(runtime.observed().get(broken.agentUid)).toEqual(failed);
        expect(
          await running(subject.spec({ agentUid: broken.agentUid, generation: broken.generation + 1 })),
        ).toMatchObject({ failure: null });
        await runtime.stop(broken.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );

    it('refuses an agent uid that could name something else', async () => {
      for (const agentUid of ['../escape', 'a/b', '', 'x'.repeat(500)]) {
        await expect(runtime.ensure(subject.spec({ agentUid }))).rejects.toThrow();
      }
    });

    it(
      'no longer calls a listener that unsubscribed',
      async () => {
        unsubscribe();
        const spec = subject.spec();
        await running(spec);
        expect(seen).toEqual([]);
        await runtime.stop(spec.agentUid, { graceMs: 0 });
      },
      TEST_MS,
    );
  });
};
