import type { IncomingMessage } from 'node:http';
import {
  CommandStreamLine,
  internalPaths,
  type CommandResult,
  type SandboxCommand,
  type SandboxReport,
} from '@sac/contracts';
import { Compile } from 'typebox/compile';
import { Backoff } from './backoff.ts';
import { HttpFailure, openRequest, readLines, requestJson, type HttpTarget } from './http.ts';

const CALL_TIMEOUT_MS = 15_000;
const UPLOAD_TIMEOUT_MS = 600_000;
/** Heartbeats come every 15 s; a stream silent for this long is dead. */
const SILENCE_MS = 50_000;
const MAX_LINE_BYTES = 1024 * 1024;
const checkLine = Compile(CommandStreamLine);

export interface GatewayAddress {
  readonly target: HttpTarget;
  /** Bearer credential of this agent and generation. */
  readonly credential: string;
}

/** The sidecar's side of contracts/internal.ts. */
export class GatewayClient {
  readonly #address: GatewayAddress;

  constructor(address: GatewayAddress) {
    this.#address = address;
  }

  get #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#address.credential}` };
  }

  /**
   * Reads commands until `signal` aborts; connects again after every break. `onConnected` is called at each
   * new connection: the gateway may have been restarted and know nothing of us.
   */
  async readCommands(
    signal: AbortSignal,
    handlers: {
      onConnected: () => void;
      onCommand: (command: SandboxCommand) => void;
      onBreak: (reason: string) => void;
    },
  ): Promise<void> {
    const backoff = new Backoff(250, 15_000);
    while (!signal.aborted) {
      try {
        await this.#readOnce(
          signal,
          () => {
            backoff.reset();
            handlers.onConnected();
          },
          handlers.onCommand,
        );
      } catch (error) {
        if (!signal.aborted) handlers.onBreak(error instanceof Error ? error.message : String(error));
      }
      await backoff.wait(signal);
    }
  }

  async #readOnce(
    signal: AbortSignal,
    onConnected: () => void,
    onCommand: (command: SandboxCommand) => void,
  ): Promise<void> {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(new Error('no heartbeat from the server')), SILENCE_MS);
    try {
      const response = await openRequest(this.#address.target, {
        method: 'GET',
        path: internalPaths.commands,
        headers: this.#headers,
        signal: AbortSignal.any([signal, silence.signal]),
      });
      onConnected();
      for await (const text of readLines(response, MAX_LINE_BYTES)) {
        timer.refresh();
        const line: unknown = JSON.parse(text);
        // A newer server may know kinds that we do not: it gets no result and decides itself.
        if (checkLine.Check(line) && line.kind !== 'heartbeat') onCommand(line);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Repeats until the server has it; gives up only when the server refuses it for good. */
  async sendResult(commandId: string, result: CommandResult, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(250, 15_000);
    while (!signal.aborted) {
      try {
        await this.#post(internalPaths.commandResult(commandId), result, signal);
        return;
      } catch (error) {
        if (error instanceof HttpFailure && error.status >= 400 && error.status < 500 && error.status !== 429) return;
        await backoff.wait(signal);
      }
    }
  }

  /** @throws HttpFailure, connection errors */
  async report(report: SandboxReport, signal: AbortSignal): Promise<void> {
    await this.#post(internalPaths.report, report, signal);
  }

  /** @throws HttpFailure, connection errors */
  openUpload(uploadId: string, signal: AbortSignal): Promise<IncomingMessage> {
    return openRequest(this.#address.target, {
      method: 'GET',
      path: internalPaths.upload(uploadId),
      headers: this.#headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_TIMEOUT_MS)]),
    });
  }

  async #post(path: string, json: unknown, signal: AbortSignal): Promise<void> {
    await requestJson(this.#address.target, {
      method: 'POST',
      path,
      json,
      headers: this.#headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
    });
  }
}
