import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { Harness } from './testing/harness.ts';
import { TestClient } from './testing/test-client.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start();
});
afterAll(() => harness.stop());

describe('a viewer with the extension', () => {
  it('gets sync, snapshot and state, then types and sees the answer', async () => {
    const client = harness.connect();
    await client.untilSync();
    expect(client.sync).toMatchObject({ kind: 'snapshot', columns: 80, rows: 24 });
    client.type('echo "$((6*7))-$(tput cols)x$(tput lines)"\r');
    await client.untilText('42-80x24');
    await client.until(() => client.state?.owner === true, 'ownership');
    expect(client.state).toMatchObject({
      mode: 'control',
      exit: null,
      columns: 80,
      rows: 24,
      viewers: [{ name: 'Ada', owner: true, self: true, mode: 'control' }],
    });
    const first = client.messages.findIndex((message) => message.type === 'sync');
    expect(client.messages.slice(0, first).some((message) => message.type === 'state')).toBe(false);
    client.cut();
  });

  it('hears what runs in the foreground once, not every second', async () => {
    const own = await Harness.start({ main: 'while sleep 0.3; do echo x; done' });
    const client = own.connect();
    await client.until(() => client.state?.foreground === 'sh', 'the program');
    const before = client.messages.filter(({ type }) => type === 'state').length;
    await sleep(2_500);
    expect(client.messages.filter(({ type }) => type === 'state')).toHaveLength(before);
    await own.stop();
  });

  it('answers an echo request within milliseconds', async () => {
    const client = harness.connect();
    await client.untilSync();
    const times: number[] = [];
    for (let count = 0; count < 10; count += 1) times.push(await client.echo());
    expect(Math.min(...times)).toBeLessThan(50);
    client.cut();
  });

  it('hears the title, cut at 256 characters', async () => {
    const client = harness.connect();
    await client.untilSync();
    client.type(`printf '\\033]2;%s\\007' "$(printf 'x%.0s' $(seq 400))"\r`);
    await client.until(() => client.title === 'x'.repeat(256), 'title');
    client.type(`printf '\\033]2;\\007'\r`);
    await client.until(() => client.title === '', 'title gone');
    client.cut();
  });
});

describe('a stock ttyd client', () => {
  it('gets title, preferences and output, types and resizes', async () => {
    const client = harness.connect({ hello: { AuthToken: '', columns: 77, rows: 21 } });
    await client.until(() => client.messages.some((message) => message.type === 'preferences'), 'preferences');
    client.type('tput cols\r');
    await client.untilText(/\r\n77\r\n/);
    client.send({ type: 'resize', size: { columns: 66, rows: 20 } });
    client.type('sleep 0.1; tput cols\r');
    await client.untilText(/\r\n66\r\n/);
    expect(
      client.messages.map((message) => message.type).filter((type) => type === 'sync' || type === 'state'),
    ).toEqual([]);
    expect(client.snapshot).toEqual([]);
    client.cut();
  });
});

describe('view mode', () => {
  it.each([
    ['token', { mode: 'view' as const }, {}],
    ['hello', {}, { mode: 'view' as const }],
  ])('of the %s cannot type, resize or take over', async (_name, claims, sac) => {
    const owner = harness.connect();
    await owner.until(() => owner.state?.owner === true, 'ownership');
    const viewer = harness.connect({ claims, hello: TestClient.helloOf(sac, 40, 10) });
    await viewer.until(() => viewer.state !== null, 'state');
    expect(viewer.state).toMatchObject({ mode: 'view', owner: false, columns: 80 });
    viewer.type('echo INTRUDER\r');
    viewer.send({ type: 'resize', size: { columns: 33, rows: 9 } });
    viewer.send({ type: 'takeOwnership' });
    owner.type('echo "still $(tput cols)"\r');
    await viewer.untilText('still 80');
    expect(owner.text).not.toContain('INTRUDER');
    expect(viewer.state?.owner).toBe(false);
    owner.cut();
    viewer.cut();
    await owner.closed;
  });
});

describe('who may connect', () => {
  const codeFor = async (token: string | undefined): Promise<string> => {
    const client = harness.connect(token === undefined ? { token: '' } : { token });
    await client.opened;
    const { code, reason } = await client.closed;
    return `${code} ${reason}`;
  };
  it.each<readonly [string, () => string | undefined, RegExp]>([
    ['no token', () => undefined, /^4001 a token is needed/],
    ['rubbish', () => 'x.y.z', /^4001 the token is not valid/],
    ['another key', () => harness.token({ key: 'k'.repeat(43) }), /^4001 the token is not valid/],
    ['expired', () => harness.token({ expiresInSeconds: -600 }), /^4001 the token is not valid or has expired/],
    ['another audience', () => harness.token({ audience: 'terminal' }), /^4001 the token is not valid/],
    ['another agent', () => harness.token({ agentUid: 'agent-2' }), /^4001 the token is for another agent/],
    ['an old generation', () => harness.token({ generation: 6 }), /^4010 the token is for start 6/],
    ['a life too long', () => harness.token({ expiresInSeconds: 3_600 }), /^4001 the token lives longer than 300 s/],
    ['a strange terminal', () => harness.token({ terminal: '../x' }), /^4001 the token is not valid/],
    ['no such terminal', () => harness.token({ terminal: 'shell-9' }), /^4004 there is no terminal shell-9/],
  ])('%s is accepted and then told why not', async (_name, token, expected) => {
    expect(await codeFor(token())).toMatch(expected);
  });
  it('takes a token once', async () => {
    const token = harness.token();
    const first = harness.connect({ token });
    await first.untilSync();
    expect(await codeFor(token)).toMatch(/^4001 the token was used before/);
    expect(first.closeInfo).toBeNull();
    first.cut();
  });
  it('does not take an unsigned token', async () => {
    const [, payload] = harness.token().split('.');
    const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    expect(await codeFor(`${header}.${payload}.`)).toMatch(/^4001/);
  });
  it('needs the subprotocol', async () => {
    const socket = new WebSocket(harness.url, { headers: { authorization: `Bearer ${harness.token()}` } });
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.on('error', () => undefined);
    });
    expect(status).toBe(400);
  });
});

describe('bad frames', () => {
  const raw = async (send: (client: TestClient) => void, hello: null | undefined = undefined): Promise<string> => {
    const client = harness.connect(hello === null ? { hello } : {});
    await client.opened;
    if (hello !== null) await client.untilSync();
    send(client);
    const { code, reason } = await client.closed;
    return `${code} ${reason}`;
  };
  it.each<readonly [string, (client: TestClient) => void, null | undefined, RegExp]>([
    ['text frame', (client) => client.socket.send('0ls'), undefined, /^1008 text frame/],
    [
      'input before the hello',
      (client) => client.socket.send(Buffer.from('0ls')),
      null,
      /^1008 input before the hello/,
    ],
    [
      'bad hello',
      (client) => client.socket.send(Buffer.from('{"sac":1}')),
      null,
      /^1008 hello: sac: expected an object/,
    ],
    [
      'hello too long',
      (client) => client.socket.send(Buffer.from(`{"AuthToken":"${'x'.repeat(5_000)}"}`)),
      null,
      /^1009 hello: 50\d\d bytes, the limit is 4096/,
    ],
    [
      'echo too long',
      (client) => client.socket.send(Buffer.from(`6${'x'.repeat(33)}`)),
      undefined,
      /^1009 echo request: 33 bytes, the limit is 32/,
    ],
    ['input of 1 MB', (client) => client.socket.send(Buffer.alloc(1_000_000, 0x30)), undefined, /^1009 /],
    [
      'unknown types all the time',
      (client) => Array.from({ length: 20 }, () => client.socket.send(Buffer.from('9x'))),
      undefined,
      /^1008 unknown frame type 57/,
    ],
    [
      'resize 10^9 all the time',
      (client) => Array.from({ length: 20 }, () => client.socket.send(Buffer.from('1{"columns":1000000000,"rows":1}'))),
      undefined,
      /^1008 resize: columns: .*1 to 1000, got 1000000000/,
    ],
    [
      'acknowledging more than was sent',
      (client) => Array.from({ length: 20 }, () => client.send({ type: 'acknowledge', offset: 10 ** 12 })),
      undefined,
      /^1008 acknowledge: 1000000000000 is more than/,
    ],
    [
      'hello all the time',
      (client) => Array.from({ length: 20 }, () => client.send({ type: 'hello', hello: TestClient.helloOf() })),
      undefined,
      /^1008 hello: sent twice/,
    ],
  ])('%s', async (_name, send, hello, expected) => {
    expect(await raw(send, hello)).toMatch(expected);
  });
  it('survives a few mistakes', async () => {
    const client = harness.connect();
    await client.untilSync();
    for (const frame of ['9', '1{"columns":0,"rows":0}', '1{"columns":NaN}', '4-1', '4x', '4'])
      client.socket.send(Buffer.from(frame));
    client.type('echo a"l"ive\r');
    await client.untilText('alive');
    client.cut();
  });
  it('closes a compressed frame', async () => {
    const client = harness.connect();
    await client.untilSync();
    const { _socket: socket } = client.socket as unknown as { _socket: NodeJS.WritableStream };
    socket.write(Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0x30]));
    expect((await client.closed).code).toBe(1002);
  });
  it('closes who says nothing after 5 s', async () => {
    const client = harness.connect({ hello: null });
    await client.opened;
    const start = performance.now();
    expect(await client.closed).toEqual({ code: 1008, reason: 'no hello within 5000 ms' });
    expect(performance.now() - start).toBeGreaterThan(4_500);
  });
  it('gives up on a connection that never sends a request', async () => {
    const socket = connect(join(harness.directory, 'terminal.sock'));
    await once(socket, 'connect');
    socket.resume();
    await once(socket, 'close');
  });
});

describe('limits', () => {
  let crowd: TestClient[] = [];
  afterEach(async () => {
    for (const client of crowd) client.cut();
    await Promise.all(crowd.map((client) => client.closed));
    crowd = [];
  });
  it('refuses the 33rd viewer, and lets somebody in again when one leaves', async () => {
    const shell = await harness.control('POST', '/terminals');
    const { name } = shell.body as { name: string };
    crowd = Array.from({ length: 32 }, () => harness.connect({ claims: { terminal: name } }));
    await Promise.all(crowd.map((client) => client.untilSync()));
    const late = harness.connect({ claims: { terminal: name } });
    expect(await late.closed).toEqual({ code: 1013, reason: '32 viewers, the limit is 32' });
    const leaver = crowd.pop();
    leaver?.cut();
    await leaver?.closed;
    const next = harness.connect({ claims: { terminal: name } });
    crowd.push(next);
    await next.untilSync();
    expect((await harness.control('DELETE', `/terminals/${name}`)).status).toBe(204);
  });
});
