import { spawnSync } from 'node:child_process';
import { createSecretKey, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  INNER_AUDIENCE,
  TICKET_AUDIENCE,
  TICKET_TTL_SECONDS,
  type InnerClaims,
  type TicketClaims,
} from '@sac/contracts';
import jwt from 'jsonwebtoken';
import { SignOutFeed, untilReady } from '../../sandbox/src/terminal-server/testing/sign-out-feed.ts';
import { Measured } from './processes.ts';
import type { Route } from './terminal-client.ts';

const ORIGIN = 'http://127.0.0.1:8080';
const SESSION = '1';
const KEY_ID = 'bench';
const AGENT_UID = 'bench-agent';
const TERMINAL_KEY = 'bench terminal key, long enough to be one';
const TICKET_KEY = 'bench ticket key with at least 32 bytes: 0123456789';
const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const LISTENING = /(?:listening on |"port":|Listening on port: )(\d+)/;

/** A terminal server: where it listens and the token its viewers show. */
export interface FarEnd {
  readonly name: string;
  readonly process: Measured;
  /** Made anew for every viewer; null: this far end asks for none. */
  readonly bearer: (() => string) | null;
}

export interface Relay {
  readonly name: string;
  readonly process: Measured | null;
  /** `user` matters to ws-proxy only, which shares its time out by person. */
  routeTo(farEnd: FarEnd, user?: string): Route;
}

/** For all proxies of a measurement; ends with it. */
let feed: SignOutFeed | null = null;

export const startWsProxy = async (core: number | null): Promise<Relay> => {
  feed ??= await SignOutFeed.start();
  const running = await Measured.start({
    command: process.execPath,
    // Started as `sac` starts it; another build can be measured in its place.
    args: ['--max-semi-space-size=2', process.env['SAC_BENCH_WS_PROXY'] ?? fileOf('../../backend/dist/ws-proxy.js')],
    env: {
      SAC_TERMINAL_TICKET_KEYS: `${KEY_ID}:${TICKET_KEY}`,
      SAC_PUBLIC_URL: ORIGIN,
      SAC_WS_LISTEN: '127.0.0.1:0',
      ...feed.env,
    },
    core,
    ready: LISTENING,
  });
  await untilReady(running.port);
  return {
    name: 'ws-proxy',
    process: running,
    routeTo: (farEnd, user = 'typist') => ({
      port: running.port,
      path: `/ws/${SESSION}?token=${ticketFor(farEnd, user)}`,
      headers: { Origin: ORIGIN },
    }),
  };
};

const ticketFor = (farEnd: FarEnd, user: string): string => {
  const claims: TicketClaims = {
    jti: randomUUID(),
    sub: user,
    session: SESSION,
    authSession: 'bench',
    agentUid: AGENT_UID,
    generation: 1,
    terminal: 'main',
    mode: 'control',
    upstream: { kind: 'tcp', host: '127.0.0.1', port: farEnd.process.port, fallbackHost: null },
    inner: farEnd.bearer?.() ?? 'none',
  };
  return jwt.sign(claims, createSecretKey(TICKET_KEY, 'utf8'), {
    algorithm: 'HS256',
    keyid: KEY_ID,
    audience: TICKET_AUDIENCE,
    expiresIn: TICKET_TTL_SECONDS,
  });
};

const bearerHeader = ({ bearer }: FarEnd): Record<string, string> =>
  bearer === null ? {} : { Authorization: `Bearer ${bearer()}` };

export const startPlainRelay = async (core: number | null): Promise<Relay> => {
  const running = await Measured.start({
    command: process.execPath,
    args: [fileOf('../peers/plain-relay.ts')],
    core,
    ready: LISTENING,
  });
  return {
    name: 'plain relay',
    process: running,
    routeTo: (farEnd) => ({
      port: running.port,
      path: `/ws?upstream=${farEnd.process.port}`,
      headers: bearerHeader(farEnd),
    }),
  };
};

export const direct: Relay = {
  name: 'direct',
  process: null,
  routeTo: (farEnd) => ({ port: farEnd.process.port, path: '/ws', headers: bearerHeader(farEnd) }),
};

export const startScripted = async (core: number | null): Promise<FarEnd> => ({
  name: 'scripted terminal server',
  process: await Measured.start({
    command: process.execPath,
    args: [fileOf('../peers/scripted-terminal-server.ts')],
    core,
    ready: LISTENING,
  }),
  bearer: null,
});

/** Version of the installed ttyd; null where there is none. */
export const ttydVersion = (): string | null =>
  /version (\S+)/.exec(spawnSync('ttyd', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? null;

export const startTtyd = async (core: number | null, command: readonly string[]): Promise<FarEnd> => ({
  name: 'ttyd',
  process: await Measured.start({
    command: 'ttyd',
    args: ['--writable', '--port', '0', '--interface', 'lo', ...command],
    core,
    ready: LISTENING,
  }),
  bearer: null,
});

const innerToken = (): string => {
  const claims: InnerClaims = {
    jti: randomUUID(),
    sub: 'bench',
    userName: 'bench',
    agentUid: AGENT_UID,
    generation: 1,
    terminal: 'main',
    mode: 'control',
  };
  return jwt.sign(claims, createSecretKey(TERMINAL_KEY, 'utf8'), {
    algorithm: 'HS256',
    audience: INNER_AUDIENCE,
    expiresIn: TICKET_TTL_SECONDS,
  });
};

/** The real terminal server with `command` in its terminal `main`. */
export const startTerminalServer = async (core: number | null, command: readonly string[]): Promise<FarEnd> => {
  const directory = mkdtempSync(join(tmpdir(), 'sac-bench-'));
  const [file = '', ...args] = command;
  const env = { PATH: '/usr/bin:/bin', HOME: directory, TERM: 'xterm-256color' };
  const launch = { command: file, args, env, cwd: directory };
  const spec = join(directory, 'spec.json');
  writeFileSync(
    spec,
    JSON.stringify({
      agentUid: AGENT_UID,
      generation: 1,
      terminalKey: TERMINAL_KEY,
      workspaceDir: directory,
      main: { ...launch, resume: null },
      shell: launch,
    }),
  );
  try {
    const running = await Measured.start({
      command: process.execPath,
      args: [fileOf('../../sandbox/dist/terminal-server.js'), '--spec', spec],
      env: { SAC_TERMINAL_LISTEN: 'tcp:127.0.0.1:0', SAC_CONTROL_LISTEN: `unix:${join(directory, 'control.sock')}` },
      core,
      ready: LISTENING,
    });
    const end = running.end.bind(running);
    running.end = async () => {
      await end();
      rmSync(directory, { recursive: true, force: true });
    };
    return { name: 'terminal server', process: running, bearer: innerToken };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
};
