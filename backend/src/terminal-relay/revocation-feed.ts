import { request, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { internalPaths, RevocationLine } from '@sac/contracts';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import { backoffMs } from '../lib/backoff.ts';
import type { Refusal } from '../lib/refusal.ts';
import { family } from './metrics.ts';
import type { Relay } from './relay.ts';

type FollowingRelay = Pick<Relay, 'revoke' | 'tellClock' | 'holdBack' | 'cutAll'>;

export interface RevocationFeedOptions {
  /** Address of api-gateway's internal listener, `http://host:port`. */
  readonly url: string;
  readonly credential: string;
  readonly logger: Logger;
  /** For tests; milliseconds. */
  readonly graceMs?: number;
  readonly silenceMs?: number;
}

/** The life of an access token: so long a browser that cannot be asked about keeps its other rights as well. */
const GRACE_MS = 15 * 60_000;
/** Something is said every 15 s; a connection silent for this long is dead. */
const SILENCE_MS = 50_000;
const RETRY = { firstMs: 100, maxMs: 5_000 };
/** A thousand ids of 19 digits have a third of this. */
const MAX_LINE_CHARACTERS = 64 * 1024;

const checkLine = Compile(RevocationLine);
const UNKNOWN: Refusal = {
  code: 'unavailable',
  message: 'This terminal proxy does not know at the moment who has signed out; try again.',
  retryAfterSeconds: 2,
};

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > MAX_LINE_CHARACTERS) throw new Error(`A line has more than ${MAX_LINE_CHARACTERS} characters.`);
  }
}

/**
 * Follows api-gateway's list of ended browser sessions, and its clock, for a relay without a database. The relay takes nothing until the
 * list is complete; when nobody has vouched for it for 15 minutes, what is open is cut, and nothing is taken until
 * somebody does.
 */
export class RevocationFeed {
  readonly #relay: FollowingRelay;
  readonly #options: RevocationFeedOptions;
  readonly #stop = new AbortController();
  #currentAtMs: number | null = null;
  #connected = false;
  #deadline: NodeJS.Timeout | undefined;
  #ended: Promise<void> | null = null;

  constructor(relay: FollowingRelay, options: RevocationFeedOptions) {
    this.#relay = relay;
    this.#options = options;
    relay.holdBack(UNKNOWN);
  }

  start(): void {
    this.#ended ??= this.#follow();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#deadline);
    await this.#ended;
  }

  /** Prometheus text format. */
  get metricsText(): string {
    const heardSeconds = this.#currentAtMs === null ? -1 : (performance.now() - this.#currentAtMs) / 1000;
    const families = [
      family('sac_ws_revocations_following', 'gauge', '1 while connected to api-gateway for sign-outs', [
        ['', this.#connected ? 1 : 0],
      ]),
      family('sac_ws_revocations_heard_seconds', 'gauge', 'Since when sign-outs may be unknown; -1: from the start', [
        ['', heardSeconds],
      ]),
    ];
    return `${families.join('\n')}\n`;
  }

  async #follow(): Promise<void> {
    const { logger } = this.#options;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      const before = this.#currentAtMs;
      try {
        await this.#readOnce();
      } catch (err) {
        if (!this.#stop.signal.aborted) logger.warn({ err }, 'sign-outs cannot be followed; trying again');
      }
      this.#connected = false;
      failures = this.#currentAtMs === before ? failures + 1 : 0;
      await sleep(backoffMs(RETRY, failures), undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #readOnce(): Promise<void> {
    const silence = new AbortController();
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    const timer = setTimeout(() => silence.abort(new Error('api-gateway has gone silent')), silenceMs);
    const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
    try {
      const response = await this.#connect(signal);
      this.#connected = true;
      for await (const text of linesOf(response)) {
        timer.refresh();
        this.#take(JSON.parse(text));
      }
      if (!response.complete) throw new Error('The connection broke.');
    } finally {
      clearTimeout(timer);
    }
  }

  #connect(signal: AbortSignal): Promise<IncomingMessage> {
    const { url, credential } = this.#options;
    return new Promise((resolve, reject) => {
      const call = request(new URL(internalPaths.revocations, url), {
        headers: { authorization: `Bearer ${credential}` },
        signal,
        agent: false,
      });
      call.on('error', reject);
      call.on('response', (response) => {
        response.on('error', reject); // later ones reach the reader of the lines
        if (response.statusCode === 200) return resolve(response);
        response.resume();
        reject(new Error(`api-gateway answered ${response.statusCode ?? 0} to the question who signed out`));
      });
      call.end();
    });
  }

  /** A newer server may say things we do not know. */
  #take(line: unknown): void {
    if (!checkLine.Check(line)) return;
    if (line.kind === 'ended') this.#relay.revoke(line.authSessions);
    if (line.kind === 'clock') this.#relay.tellClock(line.nowMs);
    if (line.kind !== 'current') return;
    this.#currentAtMs = performance.now();
    this.#relay.holdBack(null);
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#giveUp(), this.#options.graceMs ?? GRACE_MS);
    this.#deadline.unref();
  }

  #giveUp(): void {
    this.#options.logger.error('nobody has said for 15 minutes who signed out; terminals are cut');
    this.#currentAtMs = null;
    this.#relay.holdBack(UNKNOWN);
    this.#relay.cutAll();
  }
}
