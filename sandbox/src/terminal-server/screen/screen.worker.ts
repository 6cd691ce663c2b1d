import { parentPort } from 'node:worker_threads';
import { bounds } from '../constants.ts';
import type { Answer, FromWorker, Place, Question, ToWorker } from './messages.ts';
import { ScreenModel } from './screen-model.ts';

interface Entry {
  readonly model: ScreenModel;
  /** Of the model; what waits comes after it. */
  place: Place;
  waiting: Uint8Array[];
  waitingBytes: number;
  timer: NodeJS.Timeout | null;
  drawnAtMs: number;
}

/** A flood is drawn this often: the more of it there is at once, the more need not be drawn at all. */
const DRAW_EVERY_MS = 40;
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
const MAX_WRITE_BYTES = MAX_WAITING_BYTES + bounds.modelBatchBytes;
/** Made by the first flood; one for all, because a draw is over before the next one begins. */
let joined: Buffer | null = null;

const port = parentPort;
if (port === null) throw new Error('screen.worker runs only as a worker thread');

const entries = new Map<number, Entry>();
const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const open = (id: number, place: Place): void => {
  const entry: Entry = {
    place,
    waiting: [],
    waitingBytes: 0,
    timer: null,
    drawnAtMs: -Infinity,
    model: new ScreenModel(place.size, {
      onTitle: (title) => post({ kind: 'title', id, title }),
      onReply: (data, at) => post({ kind: 'reply', id, offset: entry.place.offset + at, data }),
    }),
  };
  entries.set(id, entry);
};

const join = (pieces: readonly Uint8Array[]): Uint8Array => {
  if (pieces.length === 1 && pieces[0]) return pieces[0];
  joined ??= Buffer.allocUnsafeSlow(MAX_WRITE_BYTES);
  let length = 0;
  for (const piece of pieces) {
    joined.set(piece, length);
    length += piece.length;
  }
  return joined.subarray(0, length);
};

const draw = (id: number, entry: Entry): void => {
  const { waiting, waitingBytes, place } = entry;
  if (entry.timer !== null) clearTimeout(entry.timer);
  entry.timer = null;
  if (waitingBytes === 0) return;
  entry.waiting = [];
  entry.waitingBytes = 0;
  entry.model.write(join(waiting));
  entry.place = { ...place, offset: place.offset + waitingBytes };
  entry.drawnAtMs = performance.now();
  post({ kind: 'parsed', id, offset: entry.place.offset });
};

const write = (id: number, entry: Entry, data: Uint8Array): void => {
  entry.waiting.push(data);
  entry.waitingBytes += data.length;
  const restMs = entry.drawnAtMs + DRAW_EVERY_MS - performance.now();
  if (restMs <= 0 || entry.waitingBytes >= MAX_WAITING_BYTES) draw(id, entry);
  else entry.timer ??= setTimeout(() => draw(id, entry), restMs);
};

const answerTo = (entry: Entry, question: Question): Answer => {
  switch (question.what) {
    case 'snapshot':
      return { what: 'snapshot', data: Uint8Array.from(entry.model.snapshot(question.maxBytes)), place: entry.place };
    case 'screen':
      return { what: 'screen', screen: entry.model.screen() };
    case 'text':
      return { what: 'text', text: entry.model.text(question.maxBytes) };
  }
};

const ask = (id: number, entry: Entry, request: number, question: Question): void => {
  const answer = answerTo(entry, question);
  const transfer = answer.what === 'snapshot' && answer.data.buffer instanceof ArrayBuffer ? [answer.data.buffer] : [];
  post({ kind: 'answer', id, request, answer }, transfer);
};

const handle = (message: ToWorker): void => {
  if (message.kind === 'open') {
    open(message.id, message.place);
    return;
  }
  const entry = entries.get(message.id);
  if (entry === undefined) return;
  if (message.kind !== 'write') draw(message.id, entry);
  switch (message.kind) {
    case 'write':
      write(message.id, entry, message.data);
      break;
    case 'resize':
      entry.place = { ...entry.place, size: message.size, nextSequence: message.nextSequence };
      entry.model.resize(message.size);
      break;
    case 'ask':
      ask(message.id, entry, message.request, message.question);
      break;
    case 'close':
      entry.model.dispose();
      entries.delete(message.id);
      break;
  }
};

port.on('message', handle);
