import type { RecordingList, RecordingRequest, ServerMessage } from '@sac/contracts';
import type { Harness } from './harness.ts';
import { TestClient, type TokenOptions } from './test-client.ts';

type Question<R = RecordingRequest> = R extends RecordingRequest ? Omit<R, 'id'> : never;
type Reply = Extract<ServerMessage, { readonly type: 'recordingInfo' | 'recordingData' }>;

export interface CastEvent {
  readonly atMs: number;
  readonly kind: string;
  readonly data: string;
}
export interface CastSegment {
  readonly id: number;
  readonly header: {
    readonly version: number;
    readonly width: number;
    readonly height: number;
    readonly sac: { readonly stream: string; readonly offset: number; readonly continues: boolean };
  };
  readonly events: readonly CastEvent[];
}

export const parseCast = (id: number, text: string): CastSegment => {
  const [first = '', ...lines] = text.slice(0, text.lastIndexOf('\n')).split('\n');
  return {
    id,
    header: JSON.parse(first) as CastSegment['header'],
    events: lines.map((line) => {
      const [seconds, kind, data] = JSON.parse(line) as [number, string, string];
      return { atMs: Math.round(seconds * 1_000), kind, data };
    }),
  };
};

/** Reads the record of one terminal as the page does. */
export class RecordClient {
  readonly client: TestClient;
  readonly #replies = new Map<number, Reply>();
  #nextId = 1;

  constructor(harness: Harness, claims: Partial<TokenOptions> = {}) {
    const hello = TestClient.helloOf({ mode: 'view', wantsOwnership: false, recording: true });
    this.client = harness.connect({ claims: { mode: 'view', ...claims }, hello });
    this.client.onMessage = (message) => {
      if (message.type === 'recordingInfo') this.#replies.set(message.info.id, message);
      if (message.type === 'recordingData')
        this.#replies.set(message.id, { ...message, data: Uint8Array.from(message.data) });
    };
  }

  async ask(question: Question): Promise<Reply> {
    await this.client.opened;
    const id = this.#nextId++;
    this.client.send({ type: 'recordingRequest', request: { id, ...question } });
    await this.client.until(() => this.#replies.has(id), `answer to ${JSON.stringify(question)}`);
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }

  async list(): Promise<RecordingList> {
    const reply = await this.ask({ ask: 'list' });
    if (reply.type !== 'recordingInfo' || !('list' in reply.info)) throw new Error(JSON.stringify(reply));
    return reply.info.list;
  }

  async read(segment: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for (let offset = 0; ;) {
      const reply = await this.ask({ ask: 'read', segment, offset });
      if (reply.type !== 'recordingData') throw new Error(JSON.stringify(reply));
      if (reply.data.length === 0) return Buffer.concat(pieces);
      pieces.push(reply.data);
      offset += reply.data.length;
    }
  }

  /** The whole record. */
  async segments(): Promise<readonly CastSegment[]> {
    const { segments } = await this.list();
    const read: CastSegment[] = [];
    for (const { id } of segments) read.push(parseCast(id, (await this.read(id)).toString('utf8')));
    return read;
  }
}
