import type { CliName, ProviderProtocol } from '@sac/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxMachine } from '../../../test/sandbox-machine.ts';
import { startDemoModel, type DemoModel } from '../../demo-model/server.ts';

const MINUTE = 60_000;
let machine: SandboxMachine;
let model: DemoModel;

beforeAll(async () => {
  model = await startDemoModel({ port: 0 });
  machine = await SandboxMachine.start();
});
afterAll(async () => {
  await machine.close();
  await model.close();
});

const cases: readonly { cli: CliName; protocol: ProviderProtocol; prompt: RegExp; answers: RegExp | null }[] = [
  { cli: 'codex', protocol: 'openai-responses', prompt: /Ask Codex to do anything[\s\S]*\/workspace/, answers: null },
  { cli: 'gemini', protocol: 'gemini', prompt: /Type your message/, answers: null },
  { cli: 'opencode', protocol: 'anthropic', prompt: /Ask anything/, answers: /You wrote: hello/ },
];

/** The model server speaks only the Anthropic protocol: of the other two it is checked that they take a prompt. */
describe.each(cases)('$cli', ({ cli, protocol, prompt, answers }) => {
  it(
    'reaches its prompt without a dialog and takes a prompt',
    async () => {
      await machine.catalog.ensureInstalled(cli, () => undefined, AbortSignal.timeout(5 * MINUTE));
      const baseUrl = protocol === 'openai-responses' ? `${model.url}/v1` : model.url;
      const spec = machine.spec({
        cli,
        instructions: 'Be brief.',
        providerToken: 'token',
        provider: { preset: 'custom', protocol, baseUrl, models: { main: 'demo-model-1', strong: null, small: null } },
      });
      await machine.runtime.ensure(spec);
      await machine.state(spec.agentUid, 'running');
      const screen = await machine.screenShows(spec.agentUid, prompt, 2 * MINUTE);
      expect(screen).not.toMatch(/trust|sign in|log in|theme|update available/i);
      await machine.gateway.report(({ activity }) => activity.state === 'ready');
      const result = await machine.gateway.result(
        machine.gateway.send({ kind: 'prompt', promptId: '1', text: 'hello' }),
        MINUTE,
      );
      expect(result).toEqual({ outcome: 'done', reason: null });
      if (answers !== null) await machine.screenShows(spec.agentUid, answers, MINUTE);
      else await machine.gateway.report(({ conversationId }) => conversationId !== null);
      await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
    },
    8 * MINUTE,
  );
});
