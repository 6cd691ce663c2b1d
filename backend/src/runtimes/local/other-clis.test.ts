import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CliName, ProviderProtocol } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { startDemoModel, type DemoModel } from '../../demo-model/server.ts';
import type { SandboxSpec } from '../runtime.ts';

/** The real CLIs in real sandboxes against the scripted model, each in its provider's protocol. */
const MINUTE = 60_000;
const TEST_MS = 4 * MINUTE;
let machine: SandboxMachine;
let model: DemoModel;
const requests: { path: string; body: string }[] = [];

beforeAll(async () => {
  model = await startDemoModel({
    port: 0,
    onRequest: ({ path, body }) => requests.push({ path, body: JSON.stringify(body) }),
  });
  machine = await SandboxMachine.start();
  const clis = ['codex', 'gemini', 'opencode'] as const;
  for (const cli of clis) await machine.catalog.ensureInstalled(cli, () => undefined, AbortSignal.timeout(5 * MINUTE));
}, 16 * MINUTE);
afterAll(async () => {
  await machine.close();
  await model.close();
});

const start = async (cli: CliName, protocol: ProviderProtocol, changes: Partial<SandboxSpec>): Promise<SandboxSpec> => {
  machine.gateway.reset();
  const baseUrl = protocol === 'openai-responses' ? `${model.url}/v1` : model.url;
  const models = { main: 'demo-model-1', strong: null, small: null };
  const spec = machine.spec({
    cli,
    instructions: 'Answer in rhymes.',
    providerToken: 'canary-token',
    provider: { preset: 'custom', protocol, baseUrl, models },
    ...changes,
  });
  await machine.runtime.ensure(spec);
  await machine.state(spec.agentUid, 'running');
  await ready();
  return spec;
};
const ready = () => machine.gateway.report(({ activity }) => activity.state === 'ready', 2 * MINUTE);
const prompt = async (text: string): Promise<void> => {
  const id = machine.gateway.send({ kind: 'prompt', promptId: '1', text });
  expect(await machine.gateway.result(id, 2 * MINUTE)).toEqual({ outcome: 'done', reason: null });
};

/** `question`: a prompt that makes the CLI ask for permission, and what the sandbox says of it. */
const cases = [
  {
    cli: 'codex',
    protocol: 'openai-responses',
    path: '/v1/responses',
    tool: /^Bash: echo made/,
    // It asks only for what shall run outside its own sandbox.
    question: [
      '[[tool: exec_command {"cmd":"echo asked","sandbox_permissions":"require_escalated","justification":"a test"}]]',
      'allow Bash: echo asked?',
    ],
  },
  {
    cli: 'gemini',
    protocol: 'gemini',
    path: '/v1beta/models/demo-model-1:streamGenerateContent',
    tool: /^run_shell_command: echo made/,
    question: ['[[bash: touch asked]]', 'run_shell_command: touch asked'],
  },
  {
    cli: 'opencode',
    protocol: 'anthropic',
    path: '/v1/messages',
    tool: /^bash: echo made/,
    question: ['[[bash: echo asked]]', 'allow bash: echo asked?'],
  },
] as const;

describe.each(cases)('$cli', ({ cli, protocol, path, tool, question }) => {
  let spec: SandboxSpec;

  it(
    'starts without a dialog, answers, runs a tool, is stopped, and tells what it does',
    async () => {
      spec = await start(cli, protocol, { permissionMode: 'bypass' });
      // Sent at once: a CLI that says it is ready must take it.
      await prompt('hello');
      const screen = await machine.screenShows(spec.agentUid, /You wrote: hello/, MINUTE);
      expect(screen).not.toMatch(/trust|sign in|log in|theme|update available/i);
      // Some ask for a title of the conversation as well.
      const asked = requests.filter((request) => request.path === path && request.body.includes('hello'));
      expect(asked.some(({ body }) => body.includes('Answer in rhymes.'))).toBe(true);
      await ready();

      await prompt('[[bash: echo made > /workspace/made.txt; sleep 1]]');
      const { conversationId } = await machine.gateway.report(({ activity }) => tool.test(activity.text ?? ''));
      expect(conversationId).not.toBeNull();
      await ready();
      expect(await readFile(join(machine.places(spec.agentUid).paths.workspace, 'made.txt'), 'utf8')).toBe('made\n');

      await prompt('[[slow: 600 100]]');
      await machine.gateway.report(({ activity }) => activity.state === 'working');
      machine.gateway.send({ kind: 'interrupt' });
      await ready();
      await machine.runtime.stop(spec.agentUid, { graceMs: 2_000 });
    },
    TEST_MS,
  );

  it(
    'continues its conversation after a restart, and says when it asks',
    async () => {
      await start(cli, protocol, { ...spec, generation: 2, permissionMode: 'default' });
      const before = requests.length;
      // Some send the words of the stopped turn again, in one message with these: the last ones count.
      await prompt('still there? [[final: Still here.]]');
      await machine.screenShows(spec.agentUid, /^\W*Still here\.\s*$/m, 2 * MINUTE);
      const asked = requests.slice(before).filter(({ body }) => body.includes('still there?'));
      expect(asked.some(({ body }) => body.includes('made.txt'))).toBe(true);
      await ready();
      await prompt(question[0]);
      await machine.gateway.report(({ activity }) => activity.state === 'waiting' && activity.text === question[1]);
      await answered(spec.agentUid);
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    },
    TEST_MS,
  );
});

/** The dialog may take no key in its first moments. */
const answered = async (agentUid: string): Promise<void> => {
  const deadline = performance.now() + MINUTE;
  while (machine.gateway.last?.activity.state !== 'ready') {
    if (performance.now() > deadline) throw new Error(await machine.screen(agentUid));
    if (machine.gateway.last?.activity.state === 'waiting') await machine.type(agentUid, '\r');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
};
