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

  it('recaps in a sentence what was asked last when the CLI asks for that', () => {
    const recap = 'The user stepped away and is coming back. Recap in under 40 words, 1-2 plain sentences.';
    const said = (...messages: { role: string; content: MessageContent }[]) => answer({ messages, tools });
    const text = (line: string) => ({ stopReason: 'end_turn', blocks: [{ type: 'text', text: line }] });
    const done = { role: 'assistant', content: 'Done.' };
    expect(said(user('list the\nfiles'), done, user(recap))).toEqual(
      expect.objectContaining(text('You last asked: list the files')),
    );
    expect(
      said(
        user([
          { type: 'text', text: '[[bash: date]]' },
          { type: 'text', text: recap },
        ]),
      ),
    ).toMatchObject(text('You last asked: [[bash: date]]'));
    expect(said(user(recap))).toMatchObject(text('Nothing was asked yet.'));
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

describe('other protocols', () => {
  let model: DemoModel;
  beforeAll(async () => {
    model = await startDemoModel({ port: 0 });
  });
  afterAll(() => model.close());

  const stream = async (path: string, body: object): Promise<Record<string, unknown>[]> => {
    const response = await fetch(`${model.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const text = await response.text();
    return [...text.matchAll(/^data: (.+)$/gm)].map((match) => JSON.parse(String(match[1])) as Record<string, unknown>);
  };
  const said = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] });

  it('OpenAI Responses: a call, its result, the closing words', async () => {
    const input = [
      { role: 'developer', content: 'be good' },
      said('<environment_context>cwd</environment_context>'),
      said('[[say: First]] [[write: a b.txt | text]]'),
    ];
    const first = await stream('/v1/responses', { model: 'm', input, stream: true });
    expect(first.map(({ type }) => type)).toEqual([
      'response.created',
      'response.output_item.added',
      'response.output_text.delta',
      'response.output_item.done',
      'response.output_item.added',
      'response.output_item.done',
      'response.completed',
    ]);
    const { item } = first[5] as { item: { name: string; arguments: string } };
    expect(item.name).toBe('exec_command');
    expect((JSON.parse(item.arguments) as { cmd: string }).cmd).toContain(`> 'a b.txt'`);
    const answered = [
      ...input,
      { type: 'reasoning' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'First' }] },
      { type: 'function_call', call_id: 'c', name: 'exec_command' },
      { type: 'function_call_output', call_id: 'c', output: 'fine' },
    ];
    const last = await stream('/v1/responses', { model: 'm', input: answered, stream: true });
    expect(last.at(-1)).toMatchObject({
      response: { status: 'completed', output: [{ content: [{ text: 'Done. The tool said: fine' }] }] },
    });
  });

  it('Gemini: a call, its result, the closing words', async () => {
    const path = '/v1beta/models/m:streamGenerateContent?alt=sse';
    const contents = [
      { role: 'user', parts: [{ text: '<session_context>x</session_context>' }, { text: '[[bash: ls]]' }] },
    ];
    const parts = (events: Record<string, unknown>[]) =>
      events.flatMap(
        (event) => (event as { candidates: { content: { parts: object[] } }[] }).candidates[0]?.content.parts,
      );
    expect(parts(await stream(path, { contents }))).toMatchObject([
      { functionCall: { name: 'run_shell_command', args: { command: 'ls' } } },
      { text: '' },
    ]);
    const answered = [
      ...contents,
      { role: 'model', parts: [{ functionCall: { name: 'run_shell_command' } }] },
      { role: 'user', parts: [{ functionResponse: { response: { output: 'a.txt' } } }] },
    ];
    const text = parts(await stream(path, { contents: answered })).map((part) => (part as { text: string }).text);
    expect(text.join('')).toBe('Done. The tool said: a.txt');
    const whole = await fetch(`${model.url}/v1beta/models/m:generateContent`, {
      method: 'POST',
      body: JSON.stringify({
        contents,
        generationConfig: { responseJsonSchema: { properties: { title: { type: 'string' } } } },
      }),
    });
    expect(await whole.json()).toMatchObject({
      candidates: [{ finishReason: 'STOP', content: { parts: [{ text: '{"title":"Demo conversation"}' }] } }],
    });
  });

  it('both: scripted errors have their status', async () => {
    const input = [said('[[status: 429]]')];
    const contents = [{ role: 'user', parts: [{ text: '[[status: 503]]' }] }];
    const post = (path: string, body: object) =>
      fetch(`${model.url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    expect((await post('/v1/responses', { input })).status).toBe(429);
    expect((await post('/v1beta/models/m:streamGenerateContent', { contents })).status).toBe(503);
    expect((await post('/v1beta/models/m:nothing', { contents })).status).toBe(404);
  });
});
