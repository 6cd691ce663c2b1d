import { setTimeout as delay } from 'node:timers/promises';
import type { CliName, Terminal } from '@sac/contracts';
import type { HookEvent } from '../hooks/hook-event.ts';
import type { ActivitySource } from '../profiles/profile.ts';
import type { Layout } from '../supervisor/layout.ts';
import type { LogFields } from '../supervisor/log.ts';
import { ActivityTracker, meaningOf } from './activity.ts';
import { Backoff } from './backoff.ts';
import { readClaudeState } from './claude-state.ts';
import { readCodexAbort } from './codex-transcript.ts';
import { CommandRunner } from './commands.ts';
import { ControlClient, type ControlState } from './control-client.ts';
import { Conversation } from './conversation.ts';
import { DeliveryStore } from './delivery-record.ts';
import { GatewayClient, type GatewayAddress } from './gateway-client.ts';
import { HookServer } from './hook-server.ts';
import { Interrupter } from './interrupt.ts';
import { PromptDelivery } from './prompt-delivery.ts';
import { Reporter, type ReportContent } from './reporter.ts';
import { transcriptHoldsPrompt } from './transcript.ts';

const LOOK_BUSY_MS = 300;
const LOOK_IDLE_MS = 1_000;
/** The turn is about to end, and a prompt may wait for that. */
const LOOK_ENDING_MS = 100;
const MAX_OUTPUT_CHARACTERS = 8_192;
/** Shortest and longest wait between two looks at the terminal server's socket: it is beside us, and every start waits for it. */
const CONTROL_AWAY_MS = [20, 60] as const;

export interface SidecarParts {
  readonly cli: CliName;
  readonly gateway: GatewayAddress;
  readonly layout: Layout;
  readonly activity: ActivitySource;
  readonly log: (message: string, fields?: LogFields) => void;
  /** Called with every state of the terminal server, null when it is away. */
  readonly onControlState: (state: ControlState | null) => void;
}

/**
 * Stands beside the terminal server, outside the sandbox: learns from hooks and state files what the CLI does,
 * reports it, and carries out the gateway's commands through the control API.
 */
export class Sidecar {
  readonly #parts: SidecarParts;
  readonly #abort = new AbortController();
  readonly #control: ControlClient;
  readonly #gateway: GatewayClient;
  readonly #tracker: ActivityTracker;
  readonly #conversation: Conversation;
  readonly #delivery: PromptDelivery;
  readonly #interrupter: Interrupter;
  readonly #reporter: Reporter;
  readonly #hooks: HookServer;
  #state: ControlState | null = null;
  #shown: { state: string; text: string | null; since: string } = {
    state: 'starting',
    text: null,
    since: new Date().toISOString(),
  };
  /** From the state file: known before any hook told it. */
  #claudeSession: string | null = null;
  #transcriptPath: string | null = null;
  #tasks: Promise<unknown>[] = [];

  constructor(parts: SidecarParts) {
    const { cli, gateway, layout } = parts;
    this.#parts = parts;
    this.#control = new ControlClient(layout.host.controlSocket);
    this.#gateway = new GatewayClient(gateway);
    this.#tracker = new ActivityTracker(parts.activity);
    this.#conversation = new Conversation(layout.host.conversation);
    this.#interrupter = new Interrupter({
      cli,
      control: this.#control,
      activity: () => this.#tracker.current(Date.now()),
    });
    this.#delivery = new PromptDelivery({
      control: this.#control,
      store: new DeliveryStore(layout.host.delivery),
      source: parts.activity,
      ready: () => this.#tracker.readyForPrompt(Date.now()),
      busy: () => ['working', 'waiting'].includes(this.#tracker.current(Date.now()).state),
      transcriptHolds: (text, sinceMs) => this.#transcriptHolds(text, sinceMs),
    });
    this.#reporter = new Reporter(
      () => this.#content(),
      (report, signal) => this.#gateway.report(report, signal),
    );
    this.#hooks = new HookServer((event) => this.#onHook(event));
  }

  /** Listens for hooks; call it before the CLI starts. @throws when the socket cannot be made */
  async start(): Promise<void> {
    await this.#conversation.load();
    await this.#hooks.listen(this.#parts.layout.host.hooksSocket);
    const { signal } = this.#abort;
    const runner = new CommandRunner(
      {
        control: this.#control,
        gateway: this.#gateway,
        delivery: this.#delivery,
        interrupter: this.#interrupter,
        log: this.#parts.log,
      },
      signal,
    );
    let lastBreak = '';
    const commands = this.#gateway.readCommands(signal, {
      onConnected: () => {
        lastBreak = '';
        this.#reporter.resend();
      },
      onCommand: (command) => runner.handle(command),
      // The same reason over and over says nothing new.
      onBreak: (reason) => {
        if (reason !== lastBreak) this.#parts.log('command stream broke', { reason });
        lastBreak = reason;
      },
    });
    this.#tasks = [this.#watchControl(signal), this.#watchClaude(signal), this.#reporter.run(signal), commands];
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.allSettled([...this.#tasks, this.#hooks.close()]);
  }

  async #watchControl(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(...CONTROL_AWAY_MS);
    while (!signal.aborted) {
      try {
        for await (const state of this.#control.changes(signal)) {
          backoff.reset();
          this.#onControlState(state);
        }
      } catch (error) {
        if (this.#state !== null) this.#parts.log('control stream broke', { reason: String(error) });
      }
      this.#onControlState(null);
      await backoff.wait(signal);
    }
  }

  #onControlState(state: ControlState | null): void {
    const before = this.#state?.main ?? null;
    this.#state = state;
    this.#tracker.setMain(state?.main ?? null, Date.now());
    if (state?.main.running === true && state.main.startedAt !== null)
      this.#conversation.mainRuns(state.main.startedAt);
    if (before?.running === true && before.startedAt !== null && state?.main.running === false) {
      const livedMs = Date.now() - Date.parse(before.startedAt);
      void this.#conversation.mainEnded(livedMs, state.main.exit).then((setAside) => {
        if (setAside) this.#parts.log('conversation could not be resumed and was set aside');
      });
    }
    this.#parts.onControlState(state);
    this.#changed();
  }

  #onHook(event: HookEvent): void {
    if (event.cli !== this.#parts.cli) return;
    this.#tracker.hook(event, Date.now());
    if (event.subagentId === null) this.#transcriptPath = event.transcriptPath ?? this.#transcriptPath;
    this.#interrupter.hook(event);
    this.#delivery.hook(event);
    this.#conversation.hook(event).then(
      (changed) => {
        if (changed) this.#changed();
      },
      (error: unknown) => this.#parts.log('conversation id could not be written', { reason: String(error) }),
    );
    if (meaningOf(event.event) === 'SessionStart') this.#parts.log('session', { source: event.source });
    this.#changed();
  }

  /** Claude's state file is the only sign of an interrupt; it is small and local, so looking is cheap. */
  async #watchClaude(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#lookAtClaude();
      await delay(this.#lookAgainAfterMs(), undefined, { signal }).catch(() => undefined);
    }
  }

  #lookAgainAfterMs(): number {
    const nowMs = Date.now();
    if (this.#tracker.current(nowMs).state !== 'ready') return LOOK_BUSY_MS;
    return this.#tracker.readyForPrompt(nowMs) ? LOOK_IDLE_MS : LOOK_ENDING_MS;
  }

  async #lookAtClaude(): Promise<void> {
    const main = this.#state?.main;
    if (this.#parts.activity === 'claude' && main?.running === true && main.pid !== null && main.startedAt !== null) {
      const state = await readClaudeState(this.#parts.layout.host.home, main.pid, Date.parse(main.startedAt)).catch(
        () => null,
      );
      if (state !== null) {
        this.#claudeSession = state.sessionId;
        this.#tracker.claudeState(state);
      }
    }
    await this.#lookAtQuietCli();
    this.#changed();
  }

  /** What a CLI with few hooks does not tell: that it reads input, and that a turn was interrupted. */
  async #lookAtQuietCli(): Promise<void> {
    if (this.#parts.activity !== 'quiet-hooks') return;
    if (this.#tracker.isUnheard) {
      const screen = await this.#control.screen().catch(() => null);
      this.#tracker.pasteMode(screen?.modes.bracketedPaste ?? false, Date.now());
    }
    if (!this.#tracker.isBusy || this.#transcriptPath === null) return;
    const home = { inside: this.#parts.layout.inside.home, host: this.#parts.layout.host.home };
    const abortedAtMs = await readCodexAbort(this.#transcriptPath, home);
    if (abortedAtMs !== null) this.#tracker.interrupted(abortedAtMs);
  }

  #changed(): void {
    this.#delivery.stateChanged();
    this.#reporter.changed();
  }

  async #transcriptHolds(text: string, sinceMs: number): Promise<boolean> {
    if (this.#parts.activity !== 'claude') return false;
    const where = { home: this.#parts.layout.host.home, workspace: this.#parts.layout.inside.workspace };
    for (const conversationId of new Set([this.#conversation.id, this.#claudeSession])) {
      if (conversationId !== null && (await transcriptHoldsPrompt({ ...where, conversationId }, text, sinceMs)))
        return true;
    }
    return false;
  }

  #content(): ReportContent {
    const { state, text } = this.#tracker.current(Date.now());
    if (state !== this.#shown.state || text !== this.#shown.text) {
      const since = state === this.#shown.state ? this.#shown.since : new Date().toISOString();
      this.#shown = { state, text, since };
    }
    const terminals: Terminal[] = (this.#state?.terminals ?? []).slice(0, 16);
    return {
      activity: { state, since: this.#shown.since, text },
      conversationId: this.#conversation.id,
      terminals,
      crash: this.#crash(),
    };
  }

  #crash(): ReportContent['crash'] {
    const main = this.#state?.main;
    if (main === undefined || main.exit === null || (main.running && main.restarts === 0)) return null;
    if (main.running || (main.exit.code === 0 && !main.gaveUp)) return null;
    const output = (main.output ?? '').replace(/[^\P{Cc}\n\t]/gu, '').slice(-MAX_OUTPUT_CHARACTERS);
    return { exitCode: main.exit.code, signal: main.exit.signal, restarts: main.restarts, gaveUp: main.gaveUp, output };
  }
}
