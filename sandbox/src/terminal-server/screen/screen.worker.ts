import { parentPort } from 'node:worker_threads';
import type { Answer, FromWorker, Place, Question, ToWorker } from './messages.ts';
import { ScreenModel } from './screen-model.ts';

interface Entry {
  readonly model: ScreenModel;
  place: Place;
}

const port = parentPort;
if (port === null) throw new Error('screen.worker runs only as a worker thread');

const entries = new Map<number, Entry>();
const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const open = (id: number, place: Place): void => {
  const entry: Entry = {
    place,
    model: new ScreenModel(place.size, {
      onTitle: (title) => post({ kind: 'title', id, title }),
      onReply: (data) => post({ kind: 'reply', id, offset: entry.place.offset, data }),
    }),
  };
  entries.set(id, entry);
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
  switch (message.kind) {
    case 'write':
      entry.model.write(message.data);
      entry.place = { ...entry.place, offset: entry.place.offset + message.data.length };
      post({ kind: 'parsed', id: message.id, offset: entry.place.offset });
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
