import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { createEmulator, feed } from './testing/screen-state.ts';
import { Harness } from './testing/harness.ts';
import { TestClient } from './testing/test-client.ts';

let harness: Harness;
afterEach(() => harness.stop());

/** Everything an emulator answers, then what would move, resize or name windows; octal for printf. */
const QUESTIONS = [
  '\\033[c',
  '\\033[>c',
  '\\033[5n',
  '\\033[6n',
  '\\033[?2004$p',
  '\\033P$qm\\033\\\\',
  '\\033]11;?\\007',
  '\\033]4;1;?\\007',
  '\\033]52;c;?\\007',
  '\\033[14t\\033[18t\\033[19t\\033[21t',
  '\\033[3;9;9t\\033[8;5;5t\\033[2t\\033[?3h',
].join('');
const PROGRAM = `stty raw -echo; printf READY; head -c 1 > /dev/null; printf '${QUESTIONS}'; exec cat -v`;

/** As `cat -v` shows them. */
const ANSWERS = [
  '^[[?1;2c',
  '^[[>0;276;0c',
  '^[[0n',
  '^[[1;6R',
  '^[[?2004;2$y',
  '^[P1$r0m^[\\',
  '^[]11;rgb:',
  '^[]4;1;rgb:',
];

/** An emulator that answers as a browser's does; colours and clipboard are no part of the headless one. */
const answerAsBrowser = (client: TestClient, clipboard: string): void => {
  const emulator = createEmulator({ columns: 80, rows: 24 });
  const answer = (text: string): void => client.send({ type: 'input', data: Buffer.from(text) });
  emulator.onData(answer);
  const osc = (code: number, reply: string): void => {
    emulator.parser.registerOscHandler(code, (data) => {
      if (data.endsWith('?')) answer(reply);
      return true;
    });
  };
  osc(11, '\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\');
  osc(4, '\x1b]4;1;rgb:ffff/0000/0000\x1b\\');
  osc(52, `\x1b]52;c;${clipboard}\x07`);
  client.onMessage = (message) => {
    if (message.type !== 'output' && message.type !== 'snapshot') return;
    feed(emulator, message.data);
    // As a page does: what the screen has parsed, answers included, is acknowledged afterwards.
    client.send({ type: 'acknowledge', offset: client.offset });
  };
};

const timesIn = (text: string, part: string): number => text.split(part).length - 1;

it('every question gets one answer: not from a second viewer, a snapshot or a replay, and never the clipboard', async () => {
  harness = await Harness.start({ main: PROGRAM });
  const viewers = Array.from({ length: 3 }, (_, index) => {
    const client = harness.connect({ acknowledges: false });
    answerAsBrowser(client, index === 0 ? 'c2VjcmV0' : '');
    return client;
  });
  const [owner] = viewers;
  if (owner === undefined) throw new Error('no viewer');
  for (const client of viewers) await client.untilText('READY');
  await owner.until(() => owner.state?.owner === true, 'ownership');
  const { stream, offset } = owner.sync ?? { stream: '', offset: 0 };
  owner.type('g');
  await owner.untilText('rgb:ffff');
  await sleep(500);
  expect(ANSWERS.map((answer) => [answer, timesIn(owner.text, answer)])).toEqual(ANSWERS.map((answer) => [answer, 1]));
  expect(owner.text).not.toContain('c2VjcmV0');
  expect(owner.state).toMatchObject({ columns: 80, rows: 24 });

  // Who comes back reads the questions again, who is new gets the screen: neither may answer.
  const before = owner.offset;
  for (const client of viewers) client.cut();
  const back = harness.connect({ acknowledges: false, hello: TestClient.helloOf({ stream, offset }) });
  answerAsBrowser(back, '');
  const fresh = harness.connect({ acknowledges: false });
  answerAsBrowser(fresh, '');
  await back.until(() => back.offset >= before, 'replay');
  await fresh.untilSync();
  await sleep(500);
  expect(back.offset).toBe(before);
  back.type('typed');
  await back.untilText('typed');
});
