import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answer } from './answer.ts';
import { locatePrompt, textOf, type MessageContent } from './messages.ts';
import { parseDirectives, scriptOf } from './script.ts';
import { startDemoModel, type DemoModel } from './server.ts';

const user = (content: MessageContent) => ({ role: 'user', content });
const tools = [
  { name: 'Bash', input_schema: { properties: { command: {} } } },
  { name: 'Write', input_schema: { properties: { file_path: {}, content: {} } } },
];

describe('reading a request', () => {
  it('drops what the CLI wrote around the words of the person', () => {
    expect(
      textOf('<system-reminder>be good</system-reminder>\nhello <pasted_content id="1">there</pasted_content>'),
    ).toBe('hello there');
  });

  it('takes the text after an interrupt as the prompt', () => {
    expect(locatePrompt([user('old [Request interrupted by user for tool use] new')])).toMatchObject({
      prompt: 'new',
      step: 0,
    });
  });

  it('counts the turns the prompt already had and keeps the last tool result', () => {
    const messages = [
      user('go'),
      { role: 'assistant', content: 'x' },
      user([{ type: 'tool_result', content: [{ type: 'text', text: 'out' }] }]),
    ];
    expect(locatePrompt(messages)).toEqual({ prompt: 'go', step: 1, lastToolResult: 'out' });
  });
});

describe('deciding the answer', () => {
  it('plays one action per turn and then the closing words', () => {
    const prompt = '[[say: First]] [[bash: echo hi]] [[write: a.txt | text]] [[final: Bye]]';
    const first = answer({ messages: [user(prompt)], tools });
    expect(first).toMatchObject({
      stopReason: 'tool_use',
      blocks: [{ text: 'First' }, { name: 'Bash', input: { command: 'echo hi' } }],
    });
    const second = answer({ messages: [user(prompt), { role: 'assistant', content: '' }], tools });
    expect(second).toMatchObject({ blocks: [{ name: 'Write', input: { file_path: 'a.txt', content: 'text\n' } }] });
    const last = answer({
      messages: [user(prompt), { role: 'assistant', content: '' }, { role: 'assistant', content: '' }],
      tools,
    });
    expect(last).toMatchObject({ stopReason: 'end_turn', blocks: [{ text: 'Bye' }] });
  });

  it('understands plain words', () => {
    expect(scriptOf('Please create a file notes/hello.txt with Hello there').turns).toMatchObject([
      { action: { name: 'write', argument: 'notes/hello.txt | Hello there' } },
    ]);
    expect(scriptOf('run `git status`').turns).toMatchObject([{ action: { name: 'bash', argument: 'git status' } }]);
    expect(scriptOf('what is this?').turns).toEqual([]);
  });

  it('fills a schema for side requests such as the session title', () => {
    const request = { output_config: { format: { schema: { properties: { title: { type: 'string' } } } } } };
    expect(answer(request)).toMatchObject({ blocks: [{ text: '{"title":"Demo conversation"}' }] });
  });

  it('bounds the number of directives', () => {
    expect(parseDirectives('[[bash: x]]'.repeat(1000))).toHaveLength(100);
  });

  it('refuses tool input that is no JSON with words instead of failing', () => {
    expect(answer({ messages: [user('[[tool: Bash {oops]]')], tools })).toMatchObject({ stopReason: 'end_turn' });
  });
});

describe('the server', () => {
  let model: DemoModel;
  beforeAll(async () => {
    model = await startDemoModel({ port: 0 });
  });
  afterAll(() => model.close());

  const post = (body: unknown) =>
    fetch(`${model.url}/v1/messages`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });

  it('streams the events of one message in order', async () => {
    const text = await (await post({ stream: true, messages: [user('hi')] })).text();
    const types = [...text.matchAll(/^event: (.+)$/gm)].map((match) => match[1]);
    expect(types.filter((type) => type !== 'content_block_delta')).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('answers scripted errors with the status asked for', async () => {
    const response = await post({ messages: [user('[[status: 529]]')] });
    expect(response.status).toBe(529);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'overloaded_error' } });
  });

  it('answers 400 to a body that is no JSON and 404 to an unknown route', async () => {
    expect((await post('{')).status).toBe(400);
    expect((await fetch(`${model.url}/v1/nothing`)).status).toBe(404);
  });
});
