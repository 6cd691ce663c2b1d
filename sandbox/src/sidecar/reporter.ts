import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxReport } from '@sac/contracts';
import { Backoff } from './backoff.ts';

/** Changes within this time become one report. */
const COALESCE_MS = 40;
/** Reports in a burst, and in a second over time: a program that flaps must not keep the server busy. */
const BURST = 10;
const PER_SECOND = 4;
/** The whole state is repeated now and then, in case a report was taken and then lost. */
const REPEAT_MS = 60_000;

export type ReportContent = Omit<SandboxReport, 'sidecarId' | 'sequence'>;

/** Sends the sandbox's state whenever it changed, one report at a time, always the newest. */
export class Reporter {
  readonly #sidecarId = randomUUID();
  readonly #send: (report: SandboxReport, signal: AbortSignal) => Promise<void>;
  readonly #content: () => ReportContent;
  #sequence = 0;
  #sent = '';
  #credit = BURST;
  #creditAtMs = performance.now();
  #wake: (() => void) | null = null;

  constructor(content: () => ReportContent, send: (report: SandboxReport, signal: AbortSignal) => Promise<void>) {
    this.#content = content;
    this.#send = send;
  }

  /** Something may have changed. */
  changed(): void {
    this.#wake?.();
  }

  /** The server may know nothing of us: send in any case. */
  resend(): void {
    this.#sent = '';
    this.changed();
  }

  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(250, 15_000);
    while (!signal.aborted) {
      const content = this.#content();
      const text = JSON.stringify(content);
      if (text === this.#sent) {
        if (!(await this.#changedWithin(REPEAT_MS, signal))) this.#sent = '';
        await this.#changedWithin(COALESCE_MS, signal);
        continue;
      }
      if (!(await this.#turn(signal))) continue;
      try {
        this.#sequence += 1;
        await this.#send({ sidecarId: this.#sidecarId, sequence: this.#sequence, ...content }, signal);
        this.#sent = text;
        backoff.reset();
      } catch {
        await backoff.wait(signal);
      }
    }
  }

  /** False when it had to wait: what is sent is the newest. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const nowMs = performance.now();
    this.#credit = Math.min(BURST, this.#credit + ((nowMs - this.#creditAtMs) / 1_000) * PER_SECOND);
    this.#creditAtMs = nowMs;
    if (this.#credit >= 1) {
      this.#credit -= 1;
      return true;
    }
    await delay(1_000 / PER_SECOND, undefined, { signal }).catch(() => undefined);
    return false;
  }

  async #changedWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    return new Promise((resolve) => {
      const settle = (changed: boolean): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.#wake = null;
        resolve(changed);
      };
      const stop = (): void => settle(false);
      const timer = setTimeout(stop, ms);
      this.#wake = () => settle(true);
      signal.addEventListener('abort', stop, { once: true });
    });
  }
}
