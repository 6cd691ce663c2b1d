import type { Readable } from 'node:stream';
import { SignalName, Terminal } from '@sac/contracts';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { openRequest, readLines, requestJson, type HttpTarget, type SocketRequest } from './http.ts';

const nullable = <S extends Parameters<typeof Type.Union>[0][number]>(schema: S) => Type.Union([schema, Type.Null()]);

/** State of the terminal server. It runs with the agent's rights, so what it says is checked like any input. */
const ControlState = Type.Object({
  terminals: Type.Array(Terminal, { maxItems: 64 }),
  main: Type.Object({
    running: Type.Boolean(),
    pid: nullable(Type.Integer()),
    startedAt: nullable(Type.String()),
    restarts: Type.Integer(),
    gaveUp: Type.Boolean(),
    exit: nullable(Type.Object({ code: nullable(Type.Integer()), signal: nullable(SignalName) })),
    output: nullable(Type.String()),
  }),
});
export type ControlState = Static<typeof ControlState>;

const Screen = Type.Object({
  lines: Type.Array(Type.String(), { maxItems: 1_000 }),
  cursor: Type.Object({ x: Type.Integer(), y: Type.Integer() }),
  modes: Type.Object({ bracketedPaste: Type.Boolean() }),
});
export type Screen = Static<typeof Screen>;

const StoredFile = Type.Object({ path: Type.String({ maxLength: 4_096 }), sizeBytes: Type.Integer() });
export type StoredFile = Static<typeof StoredFile>;

const checks = {
  state: Compile(ControlState),
  screen: Compile(Screen),
  terminal: Compile(Terminal),
  file: Compile(StoredFile),
};

const CALL_TIMEOUT_MS = 10_000;
const FILE_TIMEOUT_MS = 600_000;
const MAX_STATE_LINE_BYTES = 1024 * 1024;

/** Client of the terminal server's control API. */
export class ControlClient {
  readonly #target: HttpTarget;

  constructor(socketPath: string) {
    this.#target = { socketPath };
  }

  #call(call: Omit<SocketRequest, 'signal'>, timeoutMs = CALL_TIMEOUT_MS): Promise<unknown> {
    return requestJson(this.#target, { ...call, signal: AbortSignal.timeout(timeoutMs) });
  }

  async state(): Promise<ControlState> {
    return checks.state.Parse(await this.#call({ method: 'GET', path: '/state' }));
  }

  /** Yields the state at once and after every change. Ends or throws when the terminal server goes. */
  async *changes(signal: AbortSignal): AsyncGenerator<ControlState> {
    const response = await openRequest(this.#target, { method: 'GET', path: '/events', signal });
    for await (const line of readLines(response, MAX_STATE_LINE_BYTES)) yield checks.state.Parse(JSON.parse(line));
  }

  async openTerminal(): Promise<Terminal> {
    return checks.terminal.Parse(await this.#call({ method: 'POST', path: '/terminals', json: {} }));
  }

  async closeTerminal(name: string): Promise<void> {
    await this.#call({ method: 'DELETE', path: `/terminals/${encodeURIComponent(name)}` });
  }

  async paste(text: string, options: { submit: boolean; clearFirst: boolean }): Promise<void> {
    await this.#call({ method: 'POST', path: '/terminals/main/paste', json: { text, ...options } });
  }

  async keys(keys: string): Promise<void> {
    await this.#call({
      method: 'POST',
      path: '/terminals/main/keys',
      json: { data: Buffer.from(keys).toString('base64') },
    });
  }

  async screen(): Promise<Screen> {
    return checks.screen.Parse(await this.#call({ method: 'GET', path: '/terminals/main/screen' }));
  }

  async restartMain(): Promise<void> {
    await this.#call({ method: 'POST', path: '/main/restart', json: {} });
  }

  async putFile(name: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    const path = `/files?name=${encodeURIComponent(name)}`;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(FILE_TIMEOUT_MS)]);
    return checks.file.Parse(
      await requestJson(this.#target, { method: 'PUT', path, stream: content, signal: deadline }),
    );
  }
}
