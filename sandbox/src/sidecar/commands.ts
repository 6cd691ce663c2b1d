import type { CommandResult, SandboxCommand } from '@sac/contracts';
import type { ControlClient } from './control-client.ts';
import type { GatewayClient } from './gateway-client.ts';
import { HttpFailure } from './http.ts';
import type { Interrupter } from './interrupt.ts';
import type { PromptDelivery } from './prompt-delivery.ts';

const MAX_REMEMBERED = 500;

export interface CommandParts {
  readonly control: ControlClient;
  readonly gateway: GatewayClient;
  readonly delivery: PromptDelivery;
  readonly interrupter: Interrupter;
  readonly log: (message: string, fields: Record<string, string>) => void;
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof HttpFailure)) return error instanceof Error ? error.message : String(error);
  try {
    const body: unknown = JSON.parse(error.body);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
      return body.message;
  } catch {
    // Not our error envelope: the whole answer is the reason.
  }
  return error.message;
};

/**
 * Carries out each command once, however often it arrives: the stream repeats what was not acknowledged.
 * Prompts go one after the other; everything else at once, so that an interrupt never waits behind a prompt.
 */
export class CommandRunner {
  readonly #parts: CommandParts;
  readonly #signal: AbortSignal;
  readonly #results = new Map<string, CommandResult | null>();
  #prompts: Promise<void> = Promise.resolve();

  constructor(parts: CommandParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  handle(command: SandboxCommand): void {
    const known = this.#results.get(command.id);
    if (known !== undefined) {
      if (known !== null) void this.#parts.gateway.sendResult(command.id, known, this.#signal);
      return;
    }
    this.#remember(command.id, null);
    if (command.kind === 'prompt') this.#prompts = this.#prompts.then(() => this.#run(command));
    else void this.#run(command);
  }

  #remember(id: string, result: CommandResult | null): void {
    this.#results.set(id, result);
    for (const [oldest, value] of this.#results) {
      if (this.#results.size <= MAX_REMEMBERED) break;
      if (value !== null) this.#results.delete(oldest);
    }
  }

  async #run(command: SandboxCommand): Promise<void> {
    let result: CommandResult;
    try {
      result = await this.#carryOut(command);
    } catch (error) {
      // Ending: no result, so that the command is offered again to whoever comes after us.
      if (this.#signal.aborted) return;
      result = { outcome: 'failed', reason: reasonOf(error).slice(0, 2_000) };
    }
    this.#parts.log('command', {
      id: command.id,
      kind: command.kind,
      outcome: result.outcome,
      reason: result.reason ?? '',
    });
    this.#remember(command.id, result);
    await this.#parts.gateway.sendResult(command.id, result, this.#signal);
  }

  async #carryOut(command: SandboxCommand): Promise<CommandResult> {
    const { control, delivery, gateway, interrupter } = this.#parts;
    switch (command.kind) {
      case 'prompt':
        return delivery.deliver(command, this.#signal);
      case 'interrupt':
        await interrupter.interrupt(this.#signal);
        return { outcome: 'done', reason: null };
      case 'openTerminal':
        return { outcome: 'done', reason: null, value: await control.openTerminal() };
      case 'closeTerminal':
        await control.closeTerminal(command.name);
        return { outcome: 'done', reason: null };
      case 'writeFile': {
        const content = await gateway.openUpload(command.uploadId, this.#signal);
        // What the terminal server refused is not read to its end: the server must not go on holding it out to us.
        const value = await control.putFile(command.name, content, this.#signal).finally(() => content.destroy());
        if (value.sizeBytes === command.sizeBytes) return { outcome: 'done', reason: null, value };
        return {
          outcome: 'failed',
          reason: `${value.sizeBytes} of ${command.sizeBytes} bytes arrived in the workspace.`,
        };
      }
    }
  }
}
