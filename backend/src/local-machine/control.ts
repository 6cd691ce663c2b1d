import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { MachineFault } from './fault.ts';

/** What the commands of one machine ask of the running server, over a unix socket only its own user can reach. */
export interface MachineStatus {
  readonly pid: number;
  readonly version: string;
  readonly url: string;
  readonly startedAt: string;
  readonly demo: boolean;
  readonly parts: readonly { readonly name: string; readonly state: string; readonly detail: string }[];
}

export interface Welcome {
  readonly url: string;
  /** Null when there is an admin already. */
  readonly adminLink: string | null;
  /** Agents that cannot start, as they use the demo model and the server runs without it. */
  readonly agentsWithoutDemo: number;
}

export type RestartableService = 'ws' | 'db';

export interface ControlActions {
  status(): MachineStatus;
  welcome(): Promise<Welcome>;
  adminLink(): Promise<{ readonly url: string; readonly expiresAt: string }>;
  restart(service: RestartableService): Promise<void>;
  /** Accepts the request; the process ends soon after. `keep` leaves PostgreSQL and the sandboxes running. */
  stop(options: { readonly keep: boolean }): void;
}

const ANSWER_TIMEOUT_MS = 60_000;
const ANSWER_MAX_BYTES = 256 * 1024;

const dispatch = async (actions: ControlActions, call: string): Promise<unknown> => {
  switch (call) {
    case 'GET /status':
      return actions.status();
    case 'POST /welcome':
      return actions.welcome();
    case 'POST /admin-link':
      return actions.adminLink();
    case 'POST /restart/ws':
      await actions.restart('ws');
      return {};
    case 'POST /restart/db':
      await actions.restart('db');
      return {};
    case 'POST /stop':
      actions.stop({ keep: false });
      return {};
    case 'POST /stop/keep':
      actions.stop({ keep: true });
      return {};
    default:
      return undefined;
  }
};

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
};

/** Listens until closed. The caller holds the lock, so a socket that is there already belongs to nobody. */
export const serveControl = async (path: string, actions: ControlActions, logger: Logger): Promise<Server> => {
  rmSync(path, { force: true });
  const server = createServer((incoming, response) => {
    incoming.resume();
    dispatch(actions, `${incoming.method ?? ''} ${incoming.url ?? ''}`).then(
      (body) => (body === undefined ? answer(response, 404, {}) : answer(response, 200, body)),
      (err: unknown) => {
        logger.error({ err }, 'control request failed');
        answer(response, 500, { message: err instanceof Error ? err.message : String(err) });
      },
    );
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
};

const readAll = async (incoming: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of incoming) {
    text += String(chunk);
    if (text.length > ANSWER_MAX_BYTES) throw new Error('The answer of the running server is too long.');
  }
  return text;
};

const noAnswer = (error: unknown): MachineFault => {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new MachineFault(
    `The running server does not answer${code}.`,
    'It may be starting or ending just now: try again in a moment. If it stays so, look into its log (make logs) or stop it (make stop).',
    { cause: error },
  );
};

const call = async (socketPath: string, method: string, path: string): Promise<unknown> => {
  const outgoing = request({ socketPath, method, path, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), agent: false });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response').catch((error: unknown) => {
    throw noAnswer(error);
  })) as [IncomingMessage];
  const body: unknown = JSON.parse(await readAll(incoming));
  if (incoming.statusCode === 200) return body;
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  throw new Error(message || `The running server answered ${incoming.statusCode ?? 0}.`);
};

/** The other end of `serveControl`; both come from the same installation, so answers are taken as typed. */
export const controlClient = (socketPath: string) => ({
  status: () => call(socketPath, 'GET', '/status') as Promise<MachineStatus>,
  welcome: () => call(socketPath, 'POST', '/welcome') as Promise<Welcome>,
  adminLink: () => call(socketPath, 'POST', '/admin-link') as Promise<{ url: string; expiresAt: string }>,
  restart: (service: RestartableService) => call(socketPath, 'POST', `/restart/${service}`),
  stop: (options: { readonly keep: boolean }) => call(socketPath, 'POST', options.keep ? '/stop/keep' : '/stop'),
});
