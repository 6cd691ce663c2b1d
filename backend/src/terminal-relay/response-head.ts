const MAX_HEAD_BYTES = 16_384;
const END = '\r\n\r\n';
/**
 * All that a browser needs of a 101. The far end stands beside an agent and is not trusted: a Set-Cookie of its
 * making would be kept under the site's own address.
 */
const PASSED_ON = new Set(['upgrade', 'connection', 'sec-websocket-accept', 'sec-websocket-protocol']);
const HEADER = /^([A-Za-z0-9-]+):[ \t]*([\x20-\x7e]*?)[ \t]*$/;

export type HeadResult =
  | { readonly kind: 'incomplete' }
  /** `response` goes to the client; `rest` are the bytes that arrived behind the head. */
  | { readonly kind: 'switched'; readonly response: string; readonly rest: Buffer }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'malformed' };

const acceptedResponse = (lines: readonly string[]): string | null => {
  const headers: string[] = [];
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name !== undefined && PASSED_ON.has(name.toLowerCase())) headers.push(`${name}: ${value ?? ''}`);
  }
  const complete = ['upgrade:', 'sec-websocket-accept:'].every((name) =>
    headers.some((line) => line.toLowerCase().startsWith(name)),
  );
  return complete ? ['HTTP/1.1 101 Switching Protocols', ...headers].join('\r\n') + END : null;
};

/** Collects the answer of the terminal server to the upgrade, whatever pieces it comes in. */
export class ResponseHeadReader {
  #received: Buffer = Buffer.alloc(0);

  /** The chunk is copied; its buffer may be used again. */
  push(chunk: Uint8Array): HeadResult {
    this.#received = Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(END);
    if (end === -1) return this.#received.length > MAX_HEAD_BYTES ? { kind: 'malformed' } : { kind: 'incomplete' };
    const [statusLine = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
    if (!Number.isInteger(status)) return { kind: 'malformed' };
    if (status !== 101) return { kind: 'refused', status };
    const response = acceptedResponse(lines);
    return response === null
      ? { kind: 'malformed' }
      : { kind: 'switched', response, rest: this.#received.subarray(end + END.length) };
  }
}
