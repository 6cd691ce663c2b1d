import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionTest, ModelProvider, ProxySettings } from '@sac/contracts';
import { AppError } from '../../lib/app-error.ts';
import { createAddressCheck, type OutboundRules } from './address-rules.ts';
import { createConnectionTester } from './connection-test.ts';
import { AddressRefused, createCheckedLookup, safeFetch } from './safe-fetch.ts';

const servers: Server[] = [];
let directory: string;
let userCount = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sac-tls-'));
});
afterAll(async () => {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise((resolve) => {
          if (server instanceof http.Server) server.closeAllConnections();
          server.close(resolve);
        }),
    ),
  );
  rmSync(directory, { recursive: true, force: true });
});

const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};
const serve = async (listener: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(http.createServer(listener))}`;
const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

interface Options {
  readonly protocol?: ModelProvider['protocol'];
  readonly token?: string;
  readonly models?: Partial<ModelProvider['models']>;
  readonly proxy?: ProxySettings;
  readonly deadlineMs?: number;
  readonly outbound?: OutboundRules;
}
const anyAddress = createAddressCheck({ deny: [], allow: [] });
const test = (baseUrl: string, options: Options = {}): Promise<ConnectionTest> => {
  const { protocol = 'anthropic', token = 'right', models = {}, proxy, deadlineMs = 3_000 } = options;
  const tester = createConnectionTester({
    outbound: options.outbound ?? { deny: [], allow: [] },
    demo: null,
    storedToken: () => Promise.resolve(null),
    assertMayRun: () => undefined,
    deadlineMs,
  });
  const provider: ModelProvider = {
    preset: 'custom',
    protocol,
    baseUrl,
    models: { main: null, strong: null, small: null, ...models },
  };
  const cli = protocol === 'anthropic' ? 'claude-code' : protocol === 'gemini' ? 'gemini' : 'codex';
  return tester.test(
    { id: `user-${(userCount += 1)}`, role: 'user' },
    { cli, provider, providerToken: token, ...(proxy && { proxy }) },
    new AbortController().signal,
  );
};

describe('a provider that works', () => {
  interface Listing {
    readonly protocol: ModelProvider['protocol'];
    readonly base: string;
    readonly path: string;
    readonly isRight: (request: IncomingMessage) => boolean;
    readonly list: unknown;
  }
  const lists: readonly Listing[] = [
    {
      protocol: 'anthropic',
      base: '/base',
      path: '/base/v1/models?limit=1000',
      list: { data: [{ id: 'model-a' }] },
      isRight: ({ headers }) => headers.authorization === 'Bearer right' && headers['anthropic-version'] !== undefined,
    },
    {
      protocol: 'openai-responses',
      base: '/v1/',
      path: '/v1/models',
      list: { data: [{ id: 'model-a' }] },
      isRight: ({ headers }) => headers.authorization === 'Bearer right',
    },
    {
      protocol: 'gemini',
      base: '',
      path: '/v1beta/models?pageSize=1000',
      list: { models: [{ name: 'models/model-a' }] },
      isRight: ({ headers }) => headers['x-goog-api-key'] === 'right',
    },
  ];

  it.each(lists)(
    '$protocol: is asked for its models; names it does not have are told',
    async ({ protocol, base, path, isRight, list }) => {
      const url = await serve((request, response) =>
        json(response, request.url === path && isRight(request) ? 200 : 401, list),
      );
      expect(await test(`${url}${base}`, { protocol, models: { main: 'model-a' } })).toMatchObject({
        ok: true,
        unknownModels: [],
      });
      const unknown = await test(`${url}${base}`, { protocol, models: { main: 'model-a', small: 'model-z' } });
      expect(unknown).toMatchObject({ ok: true, unknownModels: ['model-z'] });
      expect(unknown.message).toContain('model-z');
      expect(await test(`${url}${base}`, { protocol, token: 'wrong' })).toMatchObject({
        ok: false,
        message: expect.stringContaining('refuses the token') as string,
      });
    },
  );

  it('without a list of models is asked for one token', async () => {
    const bodies: unknown[] = [];
    const url = await serve((request, response) => {
      if (request.method !== 'POST' || request.url !== '/v1/messages')
        return json(response, 404, { error: 'no such path' });
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        bodies.push(JSON.parse(text));
        json(response, 200, { type: 'message', content: [] });
      });
    });
    expect(await test(url, { models: { main: 'glm-9' } })).toMatchObject({
      ok: true,
      message: expect.stringContaining('glm-9') as string,
    });
    expect(bodies).toEqual([{ model: 'glm-9', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] }]);
  });

  it('with an open list of models is asked a question, because the list says nothing about the token', async () => {
    const url = await serve((request, response) => {
      if (request.method === 'GET') return json(response, 200, { data: [{ id: 'm' }] });
      return request.headers.authorization === 'Bearer right'
        ? json(response, 400, { error: { message: 'model is required' } })
        : json(response, 401, {});
    });
    expect(await test(url)).toMatchObject({
      ok: true,
      message: expect.stringContaining('No model name is set') as string,
    });
    expect(await test(url, { token: 'wrong' })).toMatchObject({
      ok: false,
      message: expect.stringContaining('refuses the token') as string,
    });
  });
});

describe('a provider that does not', () => {
  const answers: readonly [string, RequestListener, string][] = [
    [
      'wrong token',
      (_request, response) => json(response, 401, { error: { message: 'invalid x-api-key\u202e' } }),
      'It says: "invalid x-api-key"',
    ],
    ['no credit', (_request, response) => json(response, 402, { message: 'pay' }), 'no credit'],
    ['limited', (_request, response) => json(response, 429, {}), 'Try again later'],
    ['broken', (_request, response) => json(response, 500, {}), 'problem of its own (status 500)'],
    [
      'a web page',
      (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>hi'),
      'web page instead of JSON',
    ],
    [
      'a web page on 404',
      (_request, response) => void response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
      'web page instead of JSON',
    ],
    [
      'another host',
      (_request, response) => void response.writeHead(302, { location: 'https://elsewhere.example/x' }).end(),
      'redirects to https://elsewhere.example',
    ],
    [
      'garbage',
      (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('nonsense'),
      'does not answer with JSON',
    ],
    ['cut off', (request) => void request.socket.destroy(), 'closed the connection'],
  ];

  it.each(answers)('answers %s: says so', async (_name, listener, words) => {
    const result = await test(await serve(listener), { models: { main: 'm' } });
    expect(result.ok).toBe(false);
    expect(result.message).toContain(words);
  });

  it('knows neither path nor model', async () => {
    const url = await serve((_request, response) => json(response, 404, { error: { message: 'model not found' } }));
    expect((await test(url, { models: { main: 'm' } })).message).toMatch(
      /does not know \/v1\/messages, or not the model m .*model not found/,
    );
  });

  it('knows no path and no model name is set', async () => {
    const url = await serve((_request, response) => json(response, 404, {}));
    expect(await test(url)).toMatchObject({
      ok: false,
      message: expect.stringContaining('base URL is probably wrong') as string,
    });
  });

  it('hangs: is given up at the deadline', async () => {
    const result = await test(await serve(() => undefined), { deadlineMs: 300 });
    expect(result).toMatchObject({ ok: false, message: expect.stringContaining('did not answer within') as string });
  });

  it('drips for ever: is given up too', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect((await test(url, { deadlineMs: 300 })).message).toContain('did not answer within');
  });

  it('answers without end: only so much is read', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(256 * 1024, 'x');
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    expect((await test(url)).ok).toBe(false);
  });

  it('answers 10 MB of good JSON: says that it was too much, and how much', async () => {
    const body = JSON.stringify({ data: [{ id: 'm' }], padding: 'x'.repeat(10 * 1024 * 1024) });
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
    expect(await test(url, { models: { main: 'm' } })).toMatchObject({
      ok: false,
      message: expect.stringContaining('more than 1 MiB') as string,
    });
  });

  it('is not there', async () => {
    const server = net.createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect((await test(`http://127.0.0.1:${port}`)).message).toContain('refuses the connection');
    expect((await test('http://nowhere.invalid')).message).toMatch(/DNS/);
  });
});

describe('TLS', () => {
  const certificate = (name: string, ...extra: string[]): https.ServerOptions => {
    const [key, cert] = [join(directory, `${name}.key`), join(directory, `${name}.crt`)];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-subj',
        `/CN=${name}`,
        '-days',
        '1',
        ...extra,
      ],
      { stdio: 'ignore' },
    );
    return { key: readFileSync(key), cert: readFileSync(cert) };
  };

  it('says what is wrong with a certificate', async () => {
    const port = await listen(https.createServer(certificate('self'), (_request, response) => response.end()));
    expect((await test(`https://127.0.0.1:${port}`)).message).toContain('is self-signed');
  });

  it('says that a port speaks no TLS', async () => {
    const url = await serve((_request, response) => response.end());
    expect((await test(url.replace('http:', 'https:'))).message).toMatch(/does not speak TLS/);
  });
});

describe('proxy', () => {
  it('is used for addresses that need it, and named when it fails', async () => {
    const seen: string[] = [];
    const target = await serve((_request, response) => json(response, 200, { data: [{ id: 'a' }] }));
    const proxy = http.createServer((request, response) => {
      seen.push(`plain ${request.url ?? ''}`);
      json(response, 200, { data: [{ id: 'a' }] });
    });
    proxy.on('connect', (request: IncomingMessage, socket: net.Socket) => {
      seen.push(`connect ${request.url ?? ''}`);
      const { hostname, port } = new URL(target);
      const onward = net.connect(Number(port), hostname, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    const httpProxy = `http://127.0.0.1:${await listen(proxy)}`;
    const settings = { httpProxy, httpsProxy: null, noProxy: 'localhost,.internal.example' };
    expect(await test('http://models.example', { proxy: settings })).toMatchObject({ ok: true });
    expect(seen.length).toBeGreaterThan(0);
    for (const line of seen) expect(line).toContain('models.example');
    expect((await test('http://a.internal.example', { proxy: settings })).message).toMatch(/DNS/);
    const dead = { ...settings, httpProxy: 'http://127.0.0.1:9' };
    expect((await test('http://models.example', { proxy: dead })).message).toContain('the proxy 127.0.0.1:9');
  });
});

describe('addresses no provider has', () => {
  it('are refused as text and when a name points there', async () => {
    await expect(test('http://169.254.169.254')).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(test('http://[fe80::1]')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('addresses this installation denies', () => {
  const outbound = { deny: ['127.0.0.0/8', '10.0.0.0/8'], allow: [] };

  it('are not connected to, as text, by name or as proxy, and the answer does not tell what is there', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked += 1;
      json(response, 200, { data: [] });
    });
    const { port } = new URL(url);
    const named = await test(`http://localhost:${port}`, { outbound });
    expect(named).toMatchObject({
      ok: false,
      message: expect.stringMatching(/^localhost is inside .*SAC_OUTBOUND_ALLOW/),
    });
    expect(named.message).not.toContain('127.0.0.1');
    expect((await test(url, { outbound })).message).toContain('is inside the network of this installation');
    const proxy = { httpProxy: url, httpsProxy: url, noProxy: null };
    for (const target of ['http://models.example', 'https://models.example'])
      expect((await test(target, { outbound, proxy })).message).toContain('is inside the network');
    expect(asked).toBe(0);
  });

  it('are reached when they are allowed, and those that no provider has are not even then', async () => {
    const url = await serve((_request, response) => json(response, 200, { data: [] }));
    expect((await test(url, { outbound: { ...outbound, allow: ['127.0.0.1'] } })).message).not.toContain('inside');
    const check = createAddressCheck({ deny: [], allow: ['0.0.0.0/0'] });
    expect([check('169.254.169.254'), check('10.0.0.1')]).toEqual(['never', null]);
  });

  it('are known in every form', () => {
    const check = createAddressCheck({ deny: ['10.0.0.0/8', 'fd00::/8'], allow: ['10.1.0.0/16'] });
    expect(['10.0.0.1', '::ffff:10.0.0.1', 'fd12::1', '10.1.0.1', '::ffff:10.1.0.1', '11.0.0.1'].map(check)).toEqual([
      'denied',
      'denied',
      'denied',
      null,
      null,
      null,
    ]);
  });
});

describe('looking up a name', () => {
  const answering = (...addresses: string[]) =>
    createCheckedLookup(
      (_hostname, _options, callback) =>
        callback(
          null,
          addresses.map((address) => ({ address, family: net.isIP(address) })),
        ),
      anyAddress,
    );
  const lookUp = (lookup: net.LookupFunction, all: boolean) =>
    new Promise((resolve) => lookup('models.example', { all }, (error, address) => resolve(error ?? address)));

  it('is refused when any of its addresses is', async () => {
    expect(await lookUp(answering('93.184.216.34', '169.254.169.254'), true)).toBeInstanceOf(AddressRefused);
    expect(await lookUp(answering('::ffff:169.254.169.254'), false)).toBeInstanceOf(AddressRefused);
    expect(await lookUp(answering('10.0.0.7'), false)).toBe('10.0.0.7');
    expect(await lookUp(answering('10.0.0.7'), true)).toEqual([{ address: '10.0.0.7', family: 4 }]);
  });
});

describe('testing', () => {
  it('is limited in number per person', async () => {
    const tester = createConnectionTester({
      outbound: { deny: [], allow: [] },
      demo: null,
      storedToken: () => Promise.resolve(null),
      assertMayRun: () => undefined,
      deadlineMs: 50,
    });
    const provider: ModelProvider = {
      preset: 'custom',
      protocol: 'anthropic',
      baseUrl: 'http://127.0.0.1:9',
      models: { main: null, strong: null, small: null },
    };
    const once = () =>
      tester.test({ id: 'same', role: 'user' }, { cli: 'claude-code', provider }, new AbortController().signal);
    for (let count = 0; count < 20; count += 1) await once();
    await expect(once()).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('goes through no proxy at an address that is refused', async () => {
    for (const address of ['http://169.254.169.254', 'http://[::ffff:169.254.169.254]:80', 'http://2852039166']) {
      const proxy = { httpProxy: address, httpsProxy: address, noProxy: null };
      for (const target of ['http://models.example', 'https://models.example'])
        await expect(test(target, { proxy }), address).rejects.toMatchObject({
          code: 'invalid_request',
          details: { fields: [{ path: '/proxy/httpProxy' }] },
        });
    }
  });

  it('asks at the connection too, where nothing was validated before', async () => {
    const request = { method: 'GET', headers: {}, signal: AbortSignal.timeout(2_000) } as const;
    const proxy = { httpProxy: 'http://169.254.169.254', httpsProxy: null, noProxy: null };
    const sent = safeFetch({ ...request, url: new URL('http://models.example'), proxy, check: anyAddress });
    await expect(sent).rejects.toBeInstanceOf(AddressRefused);
  });

  it('is for people who may run agents: it reaches where only agents would', async () => {
    const tester = createConnectionTester({
      outbound: { deny: [], allow: [] },
      demo: null,
      storedToken: () => Promise.resolve(null),
      assertMayRun: ({ role }) => {
        if (role !== 'admin') throw new AppError('isolation_unavailable', 'no');
      },
    });
    let asked = 0;
    const baseUrl = await serve((_request, response) => {
      asked += 1;
      json(response, 200, { data: [] });
    });
    const models = { main: null, strong: null, small: null };
    const provider: ModelProvider = { preset: 'custom', protocol: 'anthropic', baseUrl, models };
    const ask = (role: 'admin' | 'user') =>
      tester.test({ id: role, role }, { cli: 'claude-code', provider }, new AbortController().signal);
    await expect(ask('user')).rejects.toMatchObject({ code: 'isolation_unavailable' });
    expect(asked).toBe(0);
    await ask('admin');
    expect(asked).toBeGreaterThan(0);
  });
});
