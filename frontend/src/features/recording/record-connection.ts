import {
  encodeClientFrame,
  EXTENSION_VERSION,
  type RecordingList,
  type RecordingRequest,
  type RecordingSegment,
  type ServerMessage,
} from '@sac/contracts';
import { TerminalSocket } from '../../terminal/socket.ts';

type Question<R = RecordingRequest> = R extends RecordingRequest ? Omit<R, 'id'> : never;
type Reply = Extract<ServerMessage, { readonly type: 'recordingInfo' | 'recordingData' }>;

/** `outdated`: the sandbox runs a program that cannot record. `gone`: the segment is not there any more. */
export type RecordFailure = 'outdated' | 'gone' | 'lost' | 'unreadable';

export class RecordError extends Error {
  readonly failure: RecordFailure;
  constructor(failure: RecordFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

const ANSWER_TIMEOUT_MS = 20_000;
const ATTEMPTS = 2;
const LAST_ID = 2 ** 32 - 1;

interface Waiting {
  readonly id: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: RecordError) => void;
}

/**
 * Asks the sandbox for the record of one terminal, one question at a time. The connection is made when it is
 * needed, and made again when it was lost.
 */
export class RecordConnection {
  readonly #requestTicket: (signal: AbortSignal) => Promise<string>;
  readonly #abort = new AbortController();
  #socket: TerminalSocket | null = null;
  #waiting: Waiting | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #nextId = 1;

  /** `requestTicket` gives the address of a WebSocket with a fresh ticket. */
  constructor(requestTicket: (signal: AbortSignal) => Promise<string>) {
    this.#requestTicket = requestTicket;
  }

  /** @throws RecordError, or what the ticket request throws */
  async list(): Promise<RecordingList> {
    const reply = await this.#ask({ ask: 'list' });
    if (reply.type === 'recordingInfo' && 'list' in reply.info) return reply.info.list;
    throw new RecordError('unreadable', 'not a list');
  }

  /** The file of a segment as it was when it was listed. @throws like `list` */
  async read({ id, bytes }: Pick<RecordingSegment, 'id' | 'bytes'>): Promise<Uint8Array> {
    const whole = new Uint8Array(bytes);
    let length = 0;
    while (length < bytes) {
      const reply = await this.#ask({ ask: 'read', segment: id, offset: length });
      if (reply.type !== 'recordingData') throw new RecordError('unreadable', 'not a piece of the recording');
      if (reply.data.length === 0) break;
      whole.set(reply.data.subarray(0, bytes - length), length);
      length += reply.data.length;
    }
    return whole.subarray(0, length);
  }

  close(): void {
    this.#abort.abort();
    this.#drop(new RecordError('lost', 'the page has closed'));
  }

  #ask(question: Question): Promise<Reply> {
    const answer = this.#turn.then(() => this.#askNow(question));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #askNow(question: Question): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#exchange(question);
      } catch (error) {
        const isLost = error instanceof RecordError && error.failure === 'lost';
        if (!isLost || attempt >= ATTEMPTS || this.#abort.signal.aborted) throw error;
      }
    }
  }

  async #exchange(question: Question): Promise<Reply> {
    if (this.#socket === null) {
      const socket = await this.#open();
      // The page may have gone while it was being opened.
      if (this.#abort.signal.aborted) {
        socket.close();
        throw new RecordError('lost', 'the page has closed');
      }
      this.#socket = socket;
    }
    const id = this.#nextId;
    this.#nextId = id === LAST_ID ? 1 : id + 1;
    const reply = await new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#drop(new RecordError('lost', `no answer within ${ANSWER_TIMEOUT_MS} ms`)),
        ANSWER_TIMEOUT_MS,
      );
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          this.#waiting = null;
          settle(value);
        };
      };
      this.#waiting = { id, resolve: settled(resolve), reject: settled(reject) };
      if (this.#socket?.send(encodeClientFrame({ type: 'recordingRequest', request: { id, ...question } })) !== true)
        this.#drop(new RecordError('lost', 'the connection was lost'));
    });
    if (reply.type === 'recordingInfo' && 'error' in reply.info)
      throw new RecordError(reply.info.error === 'not_found' ? 'gone' : 'unreadable', reply.info.message);
    return reply;
  }

  async #open(): Promise<TerminalSocket> {
    const url = await this.#requestTicket(this.#abort.signal);
    this.#abort.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => lost('the connection could not be opened'), ANSWER_TIMEOUT_MS);
      const lost = (reason: string): void => {
        clearTimeout(timer);
        const error = new RecordError('lost', reason);
        socket.close();
        reject(error);
        this.#drop(error);
      };
      const socket = new TerminalSocket(url, {
        onOpen: () => {
          clearTimeout(timer);
          const sac = { version: EXTENSION_VERSION, mode: 'view', wantsOwnership: false, recording: true } as const;
          socket.send(encodeClientFrame({ type: 'hello', hello: { AuthToken: '', sac } }));
          resolve(socket);
        },
        onMessage: (message) => this.#received(message),
        onBadFrame: (error) => lost(error.message),
        onClose: (_code, reason) => lost(reason || 'the connection was lost'),
      });
    });
  }

  #received(message: ServerMessage): void {
    if (message.type === 'recordingInfo' || message.type === 'recordingData') {
      const id = message.type === 'recordingInfo' ? message.info.id : message.id;
      if (this.#waiting?.id === id) this.#waiting.resolve(message);
    } else if (message.type === 'sync' || message.type === 'output') {
      // It took us for a viewer: it is from before there were recordings.
      this.#drop(new RecordError('outdated', 'this sandbox was started by an older version'));
    }
  }

  #drop(error: RecordError): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#waiting?.reject(error);
  }
}
