import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Harness } from './testing/harness.ts';
import { safeFileName, saveUpload } from './uploads.ts';
import type { SandboxState } from './terminals.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await Harness.start();
});
afterEach(() => harness.stop());

const state = async (): Promise<SandboxState> => (await harness.control('GET', '/state')).body as SandboxState;
const until = async (condition: () => Promise<boolean> | boolean, what: string): Promise<void> => {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 20 s`);
    await sleep(20);
  }
};

describe('state', () => {
  it('tells about main, shells, viewers, titles and exits', async () => {
    expect(await state()).toMatchObject({
      main: { running: true, restarts: 0, gaveUp: false, exit: null, output: '' },
      terminals: [{ name: 'main', title: 'sh', running: true, viewers: 0, exit: null }],
    });
    const opened = await harness.control('POST', '/terminals');
    expect(opened).toEqual({
      status: 201,
      body: { name: 'shell-1', title: 'sh', running: true, viewers: 0, exit: null, busy: false },
    });
    const client = harness.connect({ claims: { terminal: 'shell-1' } });
    await client.untilSync();
    client.type(`printf '\\033]0;my shell\\007'\r`);
    await until(async () => (await state()).terminals[1]?.title === 'my shell', 'title');
    expect((await state()).terminals[1]).toMatchObject({ viewers: 1, running: true });
    client.type(`sh -c 'echo begun; read answer'\r`);
    await until(async () => (await state()).terminals[1]?.busy === true, 'a program in the foreground');
    client.type('\r');
    await until(async () => (await state()).terminals[1]?.busy === false, 'the shell itself');
    client.type('exit 3\r');
    expect(await client.closed).toEqual({ code: 1000, reason: 'process ended: code 3' });
    expect(client.state?.exit).toEqual({ code: 3, signal: null });
    await until(async () => (await state()).terminals[1]?.running === false, 'ended');
    expect((await state()).terminals[1]?.exit).toEqual({ code: 3, signal: null });
  });

  it('streams every change, newest state on each line', async () => {
    const lines: SandboxState[] = [];
    const response = await new Promise<IncomingMessage>((resolve) =>
      request({ socketPath: harness.controlPath, path: '/events' }, resolve).end(),
    );
    let rest = '';
    response.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map((line) => JSON.parse(line) as SandboxState));
    });
    await until(() => lines.length === 1, 'first line');
    await harness.control('POST', '/terminals');
    await until(() => lines.at(-1)?.terminals.length === 2, 'new shell');
    const client = harness.connect();
    await until(() => lines.at(-1)?.terminals[0]?.viewers === 1, 'viewer');
    client.cut();
    await until(() => lines.at(-1)?.terminals[0]?.viewers === 0, 'viewer gone');
    response.destroy();
  });
});

describe('shells', () => {
  it('are limited to 16 terminals in all; a closed or ended one makes room', async () => {
    for (let number = 1; number <= 15; number++)
      expect((await harness.control('POST', '/terminals')).body).toMatchObject({ name: `shell-${number}` });
    expect(await harness.control('POST', '/terminals')).toMatchObject({
      status: 409,
      body: { code: 'limit_reached', message: expect.stringContaining('16 terminals') as string },
    });
    expect((await harness.control('DELETE', '/terminals/shell-4')).status).toBe(204);
    expect((await harness.control('POST', '/terminals')).body).toMatchObject({ name: 'shell-4' });
    await harness.control('POST', '/terminals/shell-9/keys', { data: Buffer.from('exit\r').toString('base64') });
    await until(async () => (await state()).terminals.some(({ running }) => !running), 'shell-9 ended');
    expect((await harness.control('POST', '/terminals')).body).toMatchObject({ name: 'shell-9', running: true });
  });

  it('end with everything they started, also what ignores the hang-up', async () => {
    await harness.control('POST', '/terminals');
    const client = harness.connect({ claims: { terminal: 'shell-1' } });
    await client.untilSync();
    client.type(`(trap '' HUP; echo $BASHPID > "$HOME/stubborn"; while :; do sleep 0.1; done) &\r`);
    await until(
      () =>
        existsSync(join(harness.directory, 'stubborn')) &&
        readFileSync(join(harness.directory, 'stubborn'), 'utf8') !== '',
      'background job',
    );
    const pid = Number(readFileSync(join(harness.directory, 'stubborn'), 'utf8'));
    expect((await harness.control('DELETE', '/terminals/shell-1')).status).toBe(204);
    expect((await client.closed).code).toBe(1000);
    await until(() => !existsSync(`/proc/${pid}`), 'killed');
  });

  it('main cannot be closed, and what is not there cannot either', async () => {
    expect(await harness.control('DELETE', '/terminals/main')).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
    expect(await harness.control('DELETE', '/terminals/shell-3')).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
    expect((await harness.control('POST', '/terminals/shell-3/keys', { data: 'eA==' })).status).toBe(404);
  });

  it('inherit neither descriptors nor environment of the server', async () => {
    process.env['SAC_SECRET_FOR_TEST'] = 'x';
    await harness.control('POST', '/terminals');
    delete process.env['SAC_SECRET_FOR_TEST'];
    const client = harness.connect({ claims: { terminal: 'shell-1' } });
    await client.untilSync();
    client.type('ls -C /proc/$$/fd; env | sort | cut -d= -f1 | tr "\\n" ","; echo en"d"\r');
    await client.untilText('end');
    // 255 is bash's own.
    expect(client.text).toMatch(/0 +1 +2 +255\r\n/);
    expect(client.text).not.toContain('SAC_');
    expect(client.text).toContain('COLORTERM,HOME,LANG,');
  });
});

describe('input from the product', () => {
  const screen = async (): Promise<{ lines: string[]; modes: { bracketedPaste: boolean } }> =>
    (await harness.control('GET', '/terminals/main/screen')).body as {
      lines: string[];
      modes: { bracketedPaste: boolean };
    };

  it('pastes with brackets only when the program asked for them, and submits in the same write', async () => {
    expect(
      (await harness.control('POST', '/terminals/main/paste', { text: 'echo pla"i"n', submit: true, clearFirst: true }))
        .body,
    ).toEqual({ bracketedPaste: false });
    await until(async () => (await screen()).lines.includes('plain'), 'plain paste');
    await harness.control('POST', '/terminals/main/paste', {
      text: `stty raw -echo; printf '\\033[?2004h'; cat -v`,
      submit: true,
      clearFirst: false,
    });
    await until(async () => (await screen()).modes.bracketedPaste, 'bracketed mode');
    expect(
      (
        await harness.control('POST', '/terminals/main/paste', {
          text: 'one\ntwo\x1b[201~rm',
          submit: true,
          clearFirst: true,
        })
      ).body,
    ).toEqual({ bracketedPaste: true });
    await until(
      async () => (await screen()).lines.join('').includes('^U^[[200~one^Mtwo[201~rm^[[201~^M'),
      'framed paste',
    );
  });

  it('pastes nothing for somebody who has gone while the screen was read', async () => {
    await harness.stop();
    // The model has megabytes to read before it can say whether the program takes pastes.
    harness = await Harness.start({ main: 'stty raw -echo; yes "$(seq -s " " 9999)" | head -c 4000000; exec cat -v' });
    await sleep(150);
    const gone = request({ socketPath: harness.controlPath, method: 'POST', path: '/terminals/main/paste' });
    gone.setHeader('content-type', 'application/json');
    gone.on('error', () => undefined).end(JSON.stringify({ text: 'LOST', submit: true, clearFirst: false }));
    await sleep(50);
    gone.destroy();
    const screen = async (): Promise<string> =>
      ((await harness.control('GET', '/terminals/main/screen')).body as { lines: string[] }).lines.join('');
    await sleep(1_000);
    expect(await screen()).not.toContain('LOST');
    await harness.control('POST', '/terminals/main/paste', { text: 'KEPT', submit: false, clearFirst: false });
    await until(async () => (await screen()).includes('KEPT'), 'what came after it');
    expect(await screen()).not.toContain('LOST');
  });

  it('types keys', async () => {
    expect(
      (await harness.control('POST', '/terminals/main/keys', { data: Buffer.from('echo ke"y"s\r').toString('base64') }))
        .status,
    ).toBe(204);
    await until(async () => (await screen()).lines.includes('keys'), 'keys');
  });

  it.each<readonly [string, unknown]>([
    ['unknown field', { text: 'x', submit: true, clearFirst: true, more: 1 }],
    ['wrong type', { text: 1, submit: true, clearFirst: true }],
    ['missing', { text: 'x' }],
    ['too long', { text: 'x'.repeat(65_537), submit: true, clearFirst: true }],
  ])('refuses a paste with: %s', async (_name, body) => {
    expect(await harness.control('POST', '/terminals/main/paste', body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
  });

  it('refuses what a program that does not read would make pile up', async () => {
    const client = harness.connect();
    await client.untilSync();
    client.type('stty raw -echo; echo S"lee"ping; sleep 1000\r');
    await client.untilText('Sleeping');
    const data = Buffer.alloc(64 * 1024, 0x61).toString('base64');
    const answers: number[] = [];
    for (let round = 0; round < 20; round++)
      answers.push((await harness.control('POST', '/terminals/main/keys', { data })).status);
    expect(answers.slice(0, 15)).toEqual(Array.from({ length: 15 }, () => 204));
    expect(answers.at(-1)).toBe(503);
    expect(await client.echo()).toBeLessThan(1_000);
  });
});

describe('input of a flood of viewers', () => {
  it(
    'is held back in the socket, whole and in order, while the program does not read',
    { timeout: 60_000 },
    async () => {
      const client = harness.connect();
      await client.untilSync();
      client.type(`stty raw -echo; echo G"at"e; sleep 1; head -c 8000000 | sha256sum; stty sane\r`);
      await client.untilText('Gate');
      const { createHash } = await import('node:crypto');
      const block = Buffer.from(Array.from({ length: 64_000 }, (_, index) => 33 + ((index * 7) % 90)));
      const hash = createHash('sha256');
      for (let round = 0; round < 125; round++) {
        client.send({ type: 'input', data: block });
        hash.update(block);
      }
      await client.untilText(hash.digest('hex'), 50_000);
    },
  );
});

describe('files', () => {
  const put = (name: string, body: Buffer) => harness.control('PUT', `/files?name=${encodeURIComponent(name)}`, body);

  it('appear whole in uploads, each under a name of its own', async () => {
    expect(await put('a b.png', Buffer.from('one'))).toEqual({
      status: 200,
      body: { path: join(harness.directory, 'uploads', 'a b.png'), sizeBytes: 3 },
    });
    expect(await put('a b.png', Buffer.from('two!'))).toMatchObject({
      body: { path: join(harness.directory, 'uploads', 'a b-2.png'), sizeBytes: 4 },
    });
    expect(readFileSync(join(harness.directory, 'uploads', 'a b.png'), 'utf8')).toBe('one');
    expect(readdirSync(join(harness.directory, 'uploads'))).toEqual(['a b-2.png', 'a b.png']);
  });
  it('are refused when uploads leads elsewhere', async () => {
    mkdirSync(join(harness.directory, 'elsewhere'));
    symlinkSync('elsewhere', join(harness.directory, 'uploads'));
    expect(await put('x', Buffer.from('x'))).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(readdirSync(join(harness.directory, 'elsewhere'))).toEqual([]);
    rmSync(join(harness.directory, 'uploads'));
  });
  it('fail with the reason of the file system when uploads cannot be made, as on a full disk', async () => {
    // Nobody can make a folder there.
    const saving = saveUpload('/proc', 'x', Readable.from('x'), new AbortController().signal);
    await expect(saving).rejects.toMatchObject({ code: 'ENOENT' });
  });
  it.each([
    ['../../etc/passwd', 'passwd', ''],
    ['..', 'file', ''],
    ['.bashrc', 'bashrc', ''],
    ['a\u202egnp.exe', 'a_gnp', '.exe'],
    ['', 'file', ''],
    ['a\nb\0c.txt', 'a_b_c', '.txt'],
    ['C:\\x\\y.doc', 'y', '.doc'],
    [`${'n'.repeat(300)}.jpeg`, 'n'.repeat(100), '.jpeg'],
  ])('%j becomes a safe name', (name, stem, extension) => {
    expect(safeFileName(name)).toEqual({ stem, extension });
  });
});
