import { afterAll, beforeAll, expect, it } from 'vitest';
import { normalised, promptsTaken, randomOf, randomPrompt } from '../../../test/random-prompts.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { startDemoModel, type DemoModel } from '../../demo-model/server.ts';

/** Prompts of every kind and size into the real Claude Code; bench/prompts.ts sends thousands. */
const MINUTES = 60_000;
const seed = Number(process.env['SAC_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(process.env['SAC_TEST_PROMPTS'] ?? 30);
let machine: SandboxMachine;
let model: DemoModel;

beforeAll(async () => {
  model = await startDemoModel({ port: 0 });
  machine = await SandboxMachine.start();
  await machine.catalog.ensureInstalled('claude-code', () => undefined, AbortSignal.timeout(5 * MINUTES));
}, 6 * MINUTES);
afterAll(async () => {
  await machine.close();
  await model.close();
});

const SHOWN_CHARACTERS = 40;
/** Where two texts part, short enough to be read. */
const differenceOf = (sent: string, taken: string): object | null => {
  if (sent === taken) return null;
  let at = 0;
  while (at < sent.length && sent[at] === taken[at]) at += 1;
  const around = (text: string): string => text.slice(Math.max(0, at - SHOWN_CHARACTERS), at + SHOWN_CHARACTERS);
  return { at, sent: around(sent), taken: around(taken), lengths: [sent.length, taken.length] };
};

it(
  `${count} prompts of 1 B to 64 KiB: none lost, doubled or truncated (seed ${seed})`,
  async () => {
    const random = randomOf(seed);
    const texts = Array.from({ length: count }, () => randomPrompt(random));
    const spec = machine.claudeSpec(model.url);
    await machine.runtime.ensure(spec);
    await machine.state(spec.agentUid, 'running');
    await machine.gateway.report(({ activity }) => activity.state === 'ready', MINUTES);
    const ids = texts.map((text) => machine.gateway.send({ kind: 'prompt', promptId: '1', text }));
    for (const [index, id] of ids.entries()) {
      const result = await machine.gateway.result(id, 2 * MINUTES);
      expect(result, `seed ${seed}, prompt ${index}: ${JSON.stringify(texts[index]).slice(0, 300)}`).toEqual({
        outcome: 'done',
        reason: null,
      });
    }
    const { home } = machine.places(spec.agentUid).paths;
    const sent = texts.map(normalised);
    let taken: string[] = [];
    // The CLI writes its transcript a little later. What differs is shown by the comparison behind this.
    await waitFor(
      async () => {
        taken = (await promptsTaken(home)).map(normalised);
        return taken.length >= sent.length ? taken : undefined;
      },
      20_000,
      () => 'not all prompts are in the transcript',
    ).catch(() => undefined);
    for (const [index, text] of sent.entries()) {
      const difference = differenceOf(text, taken[index] ?? '');
      expect(difference, `seed ${seed}, prompt ${index}`).toBeNull();
    }
    expect(taken.length, `seed ${seed}`).toBe(sent.length);
    await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
  },
  (1 + count / 10) * MINUTES,
);
