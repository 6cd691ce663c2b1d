import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { SupervisorRecord, SupervisorStatus, type SupervisorRequest } from '@sac/contracts';
import { Compile } from 'typebox/compile';
import { processStartTime } from './process-start-time.ts';

const checkStatus = Compile(SupervisorStatus);
const checkRecord = Compile(SupervisorRecord);

/** Whether the process of a record still lives; a reused process id has another start time. */
export const supervisorLives = async ({
  pid,
  startTime,
}: Pick<SupervisorRecord, 'pid' | 'startTime'>): Promise<boolean> => (await processStartTime(pid)) === startTime;

/** The record of a supervisor, null when there is none that can be read. */
export const readRecord = async (path: string): Promise<SupervisorRecord | null> => {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return checkRecord.Check(value) ? value : null;
  } catch {
    return null;
  }
};

const parseStatus = (line: string): SupervisorStatus | null => {
  try {
    const value: unknown = JSON.parse(line);
    return checkStatus.Check(value) ? value : null;
  } catch {
    return null;
  }
};

export interface LinkHandlers {
  readonly onStatus: (status: SupervisorStatus) => void;
  /** The supervisor is gone, or this link was closed by us. */
  readonly onEnd: () => void;
}

/** Connection to one supervisor. Its end is the end of the supervisor: nothing has to be polled. */
export class SupervisorLink {
  readonly #socket: Socket;

  private constructor(socket: Socket, handlers: LinkHandlers) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      const status = parseStatus(line);
      if (status !== null) handlers.onStatus(status);
    });
    lines.on('error', () => undefined);
    socket.on('error', () => socket.destroy());
    socket.once('close', handlers.onEnd);
  }

  /** @throws when nobody listens at `path` */
  static async open(path: string, handlers: LinkHandlers): Promise<SupervisorLink> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new SupervisorLink(socket, handlers);
  }

  request(request: SupervisorRequest): void {
    this.#socket.write(`${JSON.stringify(request)}\n`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Connects and waits for the first status; null when none comes within `timeoutMs`. Of a supervisor that never
 * answered nothing is handed on, not even its end.
 */
export const openAnswering = async (
  path: string,
  handlers: LinkHandlers,
  timeoutMs: number,
): Promise<SupervisorLink | null> => {
  const first = Promise.withResolvers<boolean>();
  let known = false;
  const link = await SupervisorLink.open(path, {
    onStatus: (status) => {
      known = true;
      handlers.onStatus(status);
      first.resolve(true);
    },
    onEnd: () => {
      first.resolve(false);
      if (known) handlers.onEnd();
    },
  }).catch(() => null);
  if (link === null) return null;
  const timer = setTimeout(() => first.resolve(false), timeoutMs);
  const answered = await first.promise;
  clearTimeout(timer);
  if (answered) return link;
  link.close();
  return null;
};

/** Resolves true when the process is gone, false after `timeoutMs`. */
export const waitUntilGone = async (
  record: Pick<SupervisorRecord, 'pid' | 'startTime'>,
  timeoutMs: number,
): Promise<boolean> => {
  const deadline = Date.now() + timeoutMs;
  while (await supervisorLives(record)) {
    if (Date.now() >= deadline) return false;
    await delay(20);
  }
  return true;
};

const refuses = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });

/** Resolves when nobody accepts connections at `path` any more, or after `timeoutMs`. */
export const waitUntilRefused = async (path: string, timeoutMs: number): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline && !(await refuses(path))) await delay(20);
};
