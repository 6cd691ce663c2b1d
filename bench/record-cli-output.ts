/**
 * Records what the real Claude Code and a shell write into their terminals, for the tests that cut connections:
 * `node bench/record-cli-output.ts`. The model behind it is the scripted one. The recordings are checked in; make
 * them anew when the CLI's version changes.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { SandboxMachine } from '../backend/test/sandbox-machine.ts';
import { startDemoModel } from '../backend/src/demo-model/server.ts';
import { mintToken, TestClient } from '../sandbox/src/terminal-server/testing/test-client.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 60_000;
const KEY_PAUSE_MS = 700;
const target = fileURLToPath(new URL('../sandbox/src/terminal-server/testing/recordings/', import.meta.url));

const prompts = [
  'hello there',
  '[[say: 漢字とかな, 한국어, 😀👩‍👩‍👧 and é in one line]] [[bash: seq 1 400 | sed "s/$/ 行 flood/"]]',
  '[[think: about it]] [[write: src/retry.ts | export const retry = async () => undefined;]] [[read: src/retry.ts]]',
  'several\nlines of a prompt\twith 全角 characters',
  '[[slow: 60 25]]',
];

/** Keys into the CLI's own screens, then into a shell: a pager and `top` use the alternate screen. */
const cliKeys = ['/help', '\r', '\x1b[B', '\x1b', '/model', '\r', '\x1b', '?', '\x7f'];
const shellKeys = [
  'cd /usr/share && ls --color=always\r',
  'seq 1 4000 | sed "s/$/ 漢字かな 😀 flood/"\r',
  'perl -CS -e \'for my $n (0..2000) { printf "\\e[38;5;%dm%s\\e[m%s", $n % 256, chr(0x4e00 + $n), $n % 40 ? "" : "\\n" }\'\r',
  'ls -R /usr/lib/python3 2>/dev/null | head -2000 > ~/list; seq 1 3000 >> ~/list; less -R ~/list\r',
  ' ',
  ' ',
  'G',
  'b',
  '/999\r',
  'q',
  'top -d 0.3 -n 4\r',
  'printf "\\e[?1049h\\e[2J\\e[5;10r\\e[?6h\\e[44m%s\\e[m\\n" full screen; sleep 0.3; printf "\\e[?6l\\e[r\\e[?1049l"\r',
  'printf "\\e]2;%s\\a\\e]8;;https://example.org\\e\\\\link\\e]8;;\\e\\\\ \\e[4:3m%s\\e[m\\n" title curly\r',
];

const record = (client: TestClient): (() => Buffer) => {
  const pieces: Buffer[] = [];
  client.onMessage = (message) => {
    if (message.type === 'output') pieces.push(Buffer.from(message.data));
  };
  return () => Buffer.concat(pieces);
};

const model = await startDemoModel({ port: 0 });
const machine = await SandboxMachine.start();
try {
  await machine.catalog.ensureInstalled('claude-code', () => undefined, AbortSignal.timeout(INSTALL_TIMEOUT_MS));
  const spec = machine.claudeSpec(model.url);
  await machine.runtime.ensure(spec);
  await machine.state(spec.agentUid, 'running');
  const connect = (terminal: string): TestClient =>
    new TestClient({
      url: `ws+unix:${join(machine.places(spec.agentUid).paths.runDir, 'terminal.sock')}:/ws`,
      token: mintToken({ key: spec.terminalKey, agentUid: spec.agentUid, generation: 1, terminal }),
      hello: TestClient.helloOf({}, 100, 30),
    });
  const ready = () => machine.gateway.report(({ activity }) => activity.state === 'ready', READY_TIMEOUT_MS);
  const save = async (name: string, recorded: Buffer): Promise<void> => {
    await writeFile(join(target, name), recorded);
    console.log(`${name}: ${recorded.length} bytes, sha256 ${createHash('sha256').update(recorded).digest('hex')}`);
  };

  const main = connect('main');
  const cli = record(main);
  await main.untilSync();
  await ready();
  for (const text of prompts) {
    await machine.gateway.result(machine.gateway.send({ kind: 'prompt', promptId: '1', text }), READY_TIMEOUT_MS);
    await ready();
  }
  for (const keys of cliKeys) {
    main.type(keys);
    await sleep(KEY_PAUSE_MS);
  }
  await save('claude-code.ansi', cli());
  main.cut();

  await machine.gateway.result(machine.gateway.send({ kind: 'openTerminal' }));
  const client = connect('shell-1');
  const shell = record(client);
  await client.untilSync();
  for (const keys of shellKeys) {
    client.type(keys);
    await sleep(2 * KEY_PAUSE_MS);
  }
  await save('shell.ansi', shell());
  client.cut();
  await machine.runtime.stop(spec.agentUid, { graceMs: 0 });
} finally {
  await machine.close();
  await model.close();
}
