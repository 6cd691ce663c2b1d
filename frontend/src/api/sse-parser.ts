/** One dispatched server-sent event. */
export interface SseMessage {
  /** Last id seen so far; null before the first. */
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** A message bigger than this is not ours; the stream is given up rather than the memory. */
const maxMessageCharacters = 4 * 1024 * 1024;

/** Incremental parser of `text/event-stream` (WHATWG HTML §9.2.6), fed with decoded text in any pieces. */
export class SseParser {
  private readonly onMessage: (message: SseMessage) => void;
  private readonly onRetry: (delayMs: number) => void;
  private buffer = '';
  private lastId: string | null = null;
  private event = '';
  private data: string[] = [];
  private dataCharacters = 0;
  private skipLineFeed = false;
  private atStart = true;

  constructor(handlers: { onMessage: (message: SseMessage) => void; onRetry?: (delayMs: number) => void }) {
    this.onMessage = handlers.onMessage;
    this.onRetry = handlers.onRetry ?? (() => undefined);
  }

  /** Throws RangeError when one message exceeds 4 Mi characters. */
  push(text: string): void {
    let input = text;
    if (this.atStart && input.length > 0) {
      this.atStart = false;
      if (input.startsWith('\ufeff')) input = input.slice(1);
    }
    // A CRLF may be cut between two pieces.
    if (this.skipLineFeed && input.length > 0) {
      this.skipLineFeed = false;
      if (input.startsWith('\n')) input = input.slice(1);
    }
    this.buffer += input;
    if (this.buffer.length > maxMessageCharacters) throw new RangeError('An event line is too long.');
    const lineEnd = /\r\n|\n|\r/g;
    let start = 0;
    for (let match = lineEnd.exec(this.buffer); match; match = lineEnd.exec(this.buffer)) {
      this.line(this.buffer.slice(start, match.index));
      start = lineEnd.lastIndex;
      if (match[0] === '\r' && start === this.buffer.length) this.skipLineFeed = true;
    }
    this.buffer = this.buffer.slice(start);
  }

  private line(line: string): void {
    if (line === '') {
      this.dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const rest = colon < 0 ? '' : line.slice(colon + 1);
    this.field(field, rest.startsWith(' ') ? rest.slice(1) : rest);
  }

  private field(name: string, value: string): void {
    if (name === 'data') {
      this.dataCharacters += value.length;
      if (this.dataCharacters > maxMessageCharacters) throw new RangeError('An event is too long.');
      this.data.push(value);
    } else if (name === 'event') this.event = value;
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.onRetry(Number(value));
  }

  private dispatch(): void {
    if (this.data.length > 0) {
      this.onMessage({ id: this.lastId, event: this.event || 'message', data: this.data.join('\n') });
    }
    this.data = [];
    this.dataCharacters = 0;
    this.event = '';
  }
}
