import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesWith, SandboxMachine } from '../../../test/sandbox-machine.ts';
import { waitFor } from '../../../test/sandbox-gateway.ts';
import { startDemoModel, type DemoModel } from '../../demo-model/server.ts';
import type { SandboxSpec } from '../runtime.ts';

/** The real Claude Code in a real sandbox against the scripted model: what the model answers stands in the prompt. */
let machine: SandboxMachine;
let model: DemoModel;
let spec: SandboxSpec;
let generation = 0;
const requests: string[] = [];
const MINUTES = 60_000;

beforeAll(async () => {
  model = await startDemoModel({ port: 0, onRequest: ({ body }) => requests.push(JSON.stringify(body)) });
  machine = await SandboxMachine.start();
  await machine.catalog.ensureInstalled('claude-code', () => undefined, AbortSignal.timeout(5 * MINUTES));
}, 6 * MINUTES);
afterAll(async () => {
  await machine.close();
  await model.close();
});

const claudeSpec = (overrides: Partial<SandboxSpec> = {}): SandboxSpec =>
  machine.claudeSpec(model.url, { instructions: 'Answer in rhymes.', ...overrides });
const ready = () => machine.gateway.report((report) => report.activity.state === 'ready', 2 * MINUTES);
const start = async (next: SandboxSpec): Promise<void> => {
  spec = next;
  machine.gateway.reset();
  await machine.runtime.ensure(spec);
  await machine.state(spec.agentUid, 'running');
  await ready();
};
const prompt = async (text: string) =>
  machine.gateway.result(machine.gateway.send({ kind: 'prompt', promptId: '1', text }), 2 * MINUTES);
const done = { outcome: 'done', reason: null };
const inWorkspace = (name: string): string => join(machine.places(spec.agentUid).paths.workspace, name);

describe('one conversation', () => {
  beforeAll(async () => start(claudeSpec({ generation: (generation += 1) })), 2 * MINUTES);
  afterAll(() => machine.runtime.stop(spec.agentUid, { graceMs: 2_000 }));

  it('reaches its prompt without a dialog, with instructions and inline renderer', async () => {
    const screen = await machine.screenShows(spec.agentUid, /bypass permissions on/);
    expect(screen).toContain('Claude Code v2.1.329');
    const { modes } = (await machine.control(spec.agentUid, 'GET', '/terminals/main/screen')) as {
      modes: { alternateScreen: boolean };
    };
    expect(modes.alternateScreen).toBe(false);
    expect(machine.gateway.last?.conversationId).toBeNull();
  });

  it(
    'answers a prompt',
    async () => {
      expect(await prompt('hello there')).toEqual(done);
      await machine.screenShows(spec.agentUid, /You wrote: hello there/);
      expect(requests.some((body) => body.includes('Answer in rhymes.'))).toBe(true);
      const { conversationId } = await machine.gateway.report((report) => report.conversationId !== null);
      expect(await readFile(join(machine.places(spec.agentUid).paths.state, 'shared/conversation'), 'utf8')).toBe(
        conversationId,
      );
    },
    3 * MINUTES,
  );

  it(
    'runs a tool that writes a file, and says what it does',
    async () => {
      expect(
        await prompt(`[[bash: echo made > /workspace/made.txt; perl -e 'select(undef,undef,undef,1.5)']]`),
      ).toEqual(done);
      const working = await machine.gateway.report(
        ({ activity }) => activity.text?.startsWith('Bash: echo made') ?? false,
      );
      expect(working.activity.state).toBe('working');
      await ready();
      expect(await readFile(inWorkspace('made.txt'), 'utf8')).toBe('made\n');
    },
    3 * MINUTES,
  );

  it(
    'takes prompts of any size one after the other, each once',
    async () => {
      const texts = [
        'short',
        'several\nlines\twith a tab  ',
        `long ${'word '.repeat(4_000)}end-of-long`,
        'ünïcödé 漢字 🚀',
        'last one',
      ];
      const ids = texts.map((text) => machine.gateway.send({ kind: 'prompt', promptId: '1', text }));
      for (const id of ids) expect(await machine.gateway.result(id, 2 * MINUTES)).toEqual(done);
      const marks = ['several lines with a tab', 'end-of-long', '漢字', 'last one'];
      // The CLI writes its transcript a little later.
      const transcript = await waitFor(
        async () => {
          const prompts = await transcriptPrompts();
          return prompts.some((text) => text.includes('last one')) ? prompts : undefined;
        },
        20_000,
        () => 'the last prompt is not in the transcript',
      );
      expect(marks.map((mark) => transcript.filter((text) => text.includes(mark)).length)).toEqual([1, 1, 1, 1]);
    },
    3 * MINUTES,
  );

  it(
    'stops what it does, also before any output, and leaves no text behind',
    async () => {
      expect(await prompt('[[hang]] first line\nsecond line')).toEqual(done);
      await machine.gateway.report(({ activity }) => activity.state === 'working');
      expect(await machine.gateway.result(machine.gateway.send({ kind: 'interrupt' }))).toEqual(done);
      await ready();
      expect(await prompt('after the stop')).toEqual(done);
      await machine.screenShows(spec.agentUid, /You wrote: after the stop/);
    },
    4 * MINUTES,
  );

  it(
    'carries out a built-in command',
    async () => {
      expect(await prompt('/clear')).toEqual(done);
      expect(await prompt('fresh start')).toEqual(done);
      await ready();
    },
    4 * MINUTES,
  );

  it(
    'writes an uploaded file and opens and closes a shell, each command once',
    async () => {
      machine.gateway.uploads.set('u1', Buffer.alloc(300_000, 7));
      const written = await machine.gateway.result(
        machine.gateway.send({ kind: 'writeFile', uploadId: 'u1', name: 'picture.png', sizeBytes: 300_000 }),
      );
      expect(written).toMatchObject({ outcome: 'done', value: { sizeBytes: 300_000 } });
      expect((await readFile(inWorkspace('uploads/picture.png'))).length).toBe(300_000);
      const opened = await machine.gateway.result(machine.gateway.send({ kind: 'openTerminal' }, 'open-1'));
      expect(opened).toMatchObject({ outcome: 'done', value: { name: 'shell-1', running: true } });
      machine.gateway.send({ kind: 'openTerminal' }, 'open-1');
      expect(await machine.gateway.result(machine.gateway.send({ kind: 'closeTerminal', name: 'shell-1' }))).toEqual(
        done,
      );
      await machine.gateway.report(({ terminals }) => terminals.length === 1);
    },
    3 * MINUTES,
  );

  it('reconnects to a restarted server and reports anew', async () => {
    const before = machine.gateway.reports.length;
    machine.gateway.dropStreams();
    await waitFor(
      () => (machine.gateway.reports.length > before ? true : undefined),
      20_000,
      () => 'no report after the reconnect',
    );
  });

  const transcriptPrompts = async (): Promise<string[]> => {
    const { home } = machine.places(spec.agentUid).paths;
    const path = join(home, '.claude/projects/-workspace', `${machine.gateway.last?.conversationId}.jsonl`);
    return (await readFile(path, 'utf8'))
      .split('\n')
      .filter((line) => line.includes('"type":"user"'))
      .map((line) => JSON.stringify((JSON.parse(line) as { message: unknown }).message).replace(/\\[nt]|\s+/g, ' '));
  };
});

describe('nothing is lost', () => {
  const remembers = async (): Promise<void> => {
    const before = requests.length;
    expect(await prompt('still here?')).toEqual(done);
    // The model is sent the whole conversation: the first prompt is in it. Side requests may come before and after.
    await waitFor(
      () =>
        requests
          .slice(before)
          .some((body) => body.includes('still here?') && body.includes('remember the blue elephant')) || undefined,
      20_000,
      () =>
        `${requests.length - before} requests, none with the conversation; the sandbox says:\n` +
        readFileSync(machine.places(spec.agentUid).paths.logFile, 'utf8').slice(-4_000),
    );
  };
  beforeAll(async () => {
    await start(claudeSpec({ agentUid: crypto.randomUUID(), generation: (generation += 1) }));
    expect(await prompt('remember the blue elephant')).toEqual(done);
    await machine.screenShows(spec.agentUid, /You wrote: remember the blue elephant/);
    await ready();
    // The CLI writes its transcript a little later, and nobody can take up what it did not write.
    const { conversationId } = await machine.gateway.report((report) => report.conversationId !== null);
    const transcript = join(
      machine.places(spec.agentUid).paths.home,
      `.claude/projects/-workspace/${conversationId}.jsonl`,
    );
    await waitFor(
      async () => (await readFile(transcript, 'utf8').catch(() => '')).includes('You wrote: remember') || undefined,
      20_000,
      () => 'the transcript holds no answer',
    );
  }, 4 * MINUTES);
  afterAll(() => machine.runtime.stop(spec.agentUid, { graceMs: 0 }));

  it(
    'when the CLI is killed',
    async () => {
      const { main } = (await machine.control(spec.agentUid, 'GET', '/state')) as { main: { pid: number } };
      expect(await machine.gateway.result(machine.gateway.send({ kind: 'openTerminal' }))).toMatchObject({
        outcome: 'done',
      });
      await machine.type(spec.agentUid, `kill -9 ${main.pid}\r`, 'shell-1');
      await machine.gateway.report(({ activity }) => activity.state === 'starting');
      await ready();
      await remembers();
    },
    4 * MINUTES,
  );

  it(
    'when the terminal server is killed',
    async () => {
      const servers = await processesWith('terminal-server.js');
      const own = await Promise.all(
        servers.map(async (pid) =>
          (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).includes(spec.agentUid) ? pid : null,
        ),
      );
      process.kill(
        own.find((pid) => pid !== null)!,
        'SIGKILL',
      );
      await machine.gateway.report(({ activity }) => activity.state === 'starting');
      await ready();
      expect(machine.runtime.observed().get(spec.agentUid)?.state).toBe('running');
      await remembers();
    },
    4 * MINUTES,
  );

  it(
    'when the supervisor is killed and the sandbox started again',
    async () => {
      process.kill(await machine.supervisorPid(spec.agentUid), 'SIGKILL');
      await waitFor(
        () => (machine.runtime.observed().has(spec.agentUid) ? undefined : true),
        20_000,
        () => 'the dead sandbox is still seen',
      );
      await start({ ...spec, generation: (generation += 1) });
      await remembers();
    },
    4 * MINUTES,
  );

  it(
    'when it is stopped and started with other settings',
    async () => {
      await machine.runtime.stop(spec.agentUid, { graceMs: 3_000 });
      await start({ ...spec, generation: (generation += 1), permissionMode: 'default' });
      await remembers();
    },
    4 * MINUTES,
  );
});

it(
  'asks for permission in default mode and says so',
  async () => {
    await start(
      claudeSpec({ agentUid: crypto.randomUUID(), permissionMode: 'default', generation: (generation += 1) }),
    );
    expect(await prompt('[[write: /workspace/asked.txt | yes]]')).toEqual(done);
    const { activity } = await machine.gateway.report(
      (report) => report.activity.text === 'allow Write: /workspace/asked.txt?',
    );
    expect(activity.state).toBe('waiting');
    // The dialog takes no key in its first moments, so that nobody answers by accident.
    await machine.screenShows(spec.agentUid, /1\. Yes/);
    await waitFor(
      async () => {
        if (machine.gateway.last?.activity.state === 'ready') return true;
        await machine.type(spec.agentUid, '\r');
        await new Promise((resolve) => setTimeout(resolve, 500));
        return undefined;
      },
      3 * MINUTES,
      () => JSON.stringify(machine.gateway.last?.activity),
    );
    expect(await readFile(inWorkspace('asked.txt'), 'utf8')).toContain('yes');
    await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
  },
  4 * MINUTES,
);

it(
  'a conversation that cannot be resumed is set aside instead of ending every start',
  async () => {
    const next = claudeSpec({ agentUid: crypto.randomUUID(), generation: (generation += 1) });
    await start(next);
    await machine.runtime.stop(next.agentUid, { graceMs: 0 });
    const unknown = crypto.randomUUID();
    await writeFile(join(machine.places(next.agentUid).paths.state, 'shared/conversation'), unknown, { mode: 0o644 });
    await start({ ...next, generation: (generation += 1) });
    await machine.gateway.report(
      ({ activity, conversationId }) => activity.state === 'ready' && conversationId !== unknown,
    );
    await machine.runtime.stop(next.agentUid, { graceMs: 0 });
  },
  3 * MINUTES,
);

it(
  'an agent that nobody talked to has nothing to take up, and its next start loses no time on it',
  async () => {
    const next = claudeSpec({ agentUid: crypto.randomUUID(), generation: (generation += 1) });
    await start(next);
    await machine.runtime.stop(next.agentUid, { graceMs: 5_000 });
    const recorded = join(machine.places(next.agentUid).paths.state, 'shared/conversation');
    await expect(readFile(recorded)).rejects.toThrow('ENOENT');
  },
  4 * MINUTES,
);
