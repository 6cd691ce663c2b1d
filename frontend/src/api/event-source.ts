import { routes, type ServerEvent } from '@sac/contracts';
import { ApiError, errorOfResponse } from './api-error.ts';
import { withToken } from './client.ts';
import { SseParser } from './sse-parser.ts';

export interface ReceivedEvent {
  /** Position for replay; null for events that have none. */
  readonly id: string | null;
  readonly event: ServerEvent;
}

export interface EventStreamOptions {
  /** Replay starts after this id. */
  readonly lastEventId: string;
  readonly onOpen: () => void;
  readonly onEvent: (received: ReceivedEvent) => void;
  readonly signal: AbortSignal;
}

/** Opens the stream and reads until it ends. Resolves when the server ended it, rejects when it broke or was refused. */
export type OpenEventStream = (options: EventStreamOptions) => Promise<void>;

/** A line that swallows everything must not keep the page from trying again. */
const openMs = 20_000;
/** The server sends a comment at least every 15 s; three missed ones mean that nobody is there. */
const silenceMs = 45_000;

const read = async (body: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<void> => {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  try {
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => reject(new ApiError({ code: 'timeout', message: 'The event stream fell silent.' })),
          silenceMs,
        );
      });
      const { done, value } = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (done) return;
      onText(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
};

export const openEventStream: OpenEventStream = async ({ lastEventId, onOpen, onEvent, signal }) => {
  const response = await withToken(async (token) => {
    const headers = new Headers({ authorization: `Bearer ${token}`, accept: 'text/event-stream' });
    headers.set('last-event-id', lastEventId);
    const opening = new AbortController();
    const late = new ApiError({ code: 'timeout', message: 'The event stream did not open in time.' });
    const timer = setTimeout(() => opening.abort(late), openMs);
    const answer = await fetch(routes.streamEvents.path, {
      headers,
      cache: 'no-store',
      credentials: 'same-origin',
      // Disarmed once it is open: then silence is what is watched.
      signal: AbortSignal.any([signal, opening.signal]),
    }).finally(() => clearTimeout(timer));
    if (!answer.ok) throw await errorOfResponse(answer);
    return answer;
  });
  if (!response.body) throw new ApiError({ code: 'network', message: 'The event stream has no body.' });
  onOpen();
  const parser = new SseParser({
    onMessage: (message) => {
      onEvent({ id: message.id, event: JSON.parse(message.data) as ServerEvent });
    },
  });
  await read(response.body, (text) => parser.push(text));
};
