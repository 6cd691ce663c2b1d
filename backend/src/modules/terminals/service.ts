import { limits, type CommandResult, type Terminal, type TerminalMode } from '@sac/contracts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import type { Keys } from '../../config/keys.ts';
import { AppError, notFound } from '../../lib/app-error.ts';
import { createRateLimiter } from '../../lib/rate-limiter.ts';
import type { AgentService, OwnAgent } from '../agents/service.ts';
import type { CommandBus } from '../commands/command-bus.ts';
import type { SessionService } from '../sessions/service.ts';
import { requireRunning, type RunningSandbox } from './require-running.ts';
import { signTicket } from './ticket.ts';

type Owner = Pick<AuthenticatedUser, 'id' | 'role' | 'username'>;
/** Tickets belong to the browser that asked: when it is signed out, what they opened is cut. */
type Visitor = Owner & Pick<AuthenticatedUser, 'authSessionId'>;

export interface TerminalService {
  list(owner: Owner, sessionId: string): Promise<{ terminals: Terminal[] }>;
  create(owner: Owner, sessionId: string, signal: AbortSignal): Promise<Terminal>;
  close(owner: Owner, sessionId: string, name: string, signal: AbortSignal): Promise<void>;
  ticket(
    visitor: Visitor,
    request: { readonly sessionId: string; readonly name: string; readonly mode: TerminalMode },
  ): Promise<{ url: string; expiresAt: string }>;
}

const COMMAND_TIMEOUT_MS = 15_000;
const MAIN = 'main';
/** A browser asks once per connection attempt and tab; reconnecting tabs back off. */
const TICKETS_PER_MINUTE = 240;
const NEW_TERMINALS_PER_MINUTE = 30;
const MINUTE_MS = 60_000;

const failed = (result: CommandResult, what: string): AppError =>
  new AppError('unavailable', `${what}: ${(result.reason ?? 'the sandbox gave no reason').slice(0, 300)}`);

export interface TerminalServiceDeps {
  readonly agents: AgentService;
  readonly sessions: SessionService;
  readonly bus: CommandBus;
  readonly keys: Pick<Keys, 'master' | 'terminalTicket'>;
  /** Epoch milliseconds. */
  readonly ticketClock: () => Promise<number>;
}

export const createTerminalService = (deps: TerminalServiceDeps): TerminalService => {
  const { agents, sessions, bus } = deps;
  const tickets = createRateLimiter({ limit: TICKETS_PER_MINUTE, windowMs: MINUTE_MS });
  const openings = createRateLimiter({ limit: NEW_TERMINALS_PER_MINUTE, windowMs: MINUTE_MS });

  const find = async (owner: Owner, sessionId: string): Promise<{ own: OwnAgent; sandbox: RunningSandbox }> => {
    const { agentId } = await sessions.use(owner, sessionId);
    agents.assertMayRun(owner);
    const own = await agents.own(owner, agentId);
    return { own, sandbox: requireRunning(own) };
  };

  const assertExists = async (own: OwnAgent, sandbox: RunningSandbox, name: string): Promise<void> => {
    if (name === MAIN || sandbox.report?.terminals.some((terminal) => terminal.name === name)) return;
    if (!(await bus.openedJustNow(own.record.row.id, sandbox.generation, name))) throw notFound('This terminal');
  };

  const create: TerminalService['create'] = async (owner, sessionId, signal) => {
    const { own, sandbox } = await find(owner, sessionId);
    openings.take(owner.id);
    // A shell that has ended makes room; the main terminal has its place also between two runs of the CLI.
    const taken = (sandbox.report?.terminals ?? []).filter(({ name, running }) => running || name === MAIN);
    if (taken.length >= limits.terminalsPerSandbox) {
      throw new AppError(
        'limit_reached',
        `A sandbox has at most ${limits.terminalsPerSandbox} terminals. Close one first.`,
        { limit: limits.terminalsPerSandbox },
      );
    }
    const command = {
      agentId: own.record.row.id,
      generation: sandbox.generation,
      timeoutMs: COMMAND_TIMEOUT_MS,
      signal,
    };
    const result = await bus.run({ ...command, kind: 'openTerminal', payload: {} });
    if (result.outcome === 'done' && result.value && 'name' in result.value) return result.value;
    throw failed(result, 'The terminal could not be opened');
  };

  const close: TerminalService['close'] = async (owner, sessionId, name, signal) => {
    const { own, sandbox } = await find(owner, sessionId);
    if (name === MAIN)
      throw new AppError(
        'conflict',
        'The main terminal runs the agent and cannot be closed; put the agent to sleep instead.',
      );
    await assertExists(own, sandbox, name);
    const command = {
      agentId: own.record.row.id,
      generation: sandbox.generation,
      timeoutMs: COMMAND_TIMEOUT_MS,
      signal,
    };
    const result = await bus.run({ ...command, kind: 'closeTerminal', payload: { name } });
    if (result.outcome !== 'done') throw failed(result, 'The terminal could not be closed');
  };

  const ticket: TerminalService['ticket'] = async (visitor, { sessionId, name, mode }) => {
    tickets.take(visitor.id);
    const { own, sandbox } = await find(visitor, sessionId);
    // What was recorded of a terminal outlives it; who wants to watch one that is gone hears so from the sandbox.
    if (mode === 'control') await assertExists(own, sandbox, name);
    const request = {
      userId: visitor.id,
      userName: visitor.username,
      sessionId,
      authSessionId: visitor.authSessionId,
      agentUid: own.record.row.uid,
      generation: sandbox.generation,
      terminal: name,
      mode,
      upstream: sandbox.upstream,
    };
    const { token, expiresAt } = signTicket(request, deps.keys, await deps.ticketClock());
    return { url: `/ws/${sessionId}?token=${token}`, expiresAt: expiresAt.toISOString() };
  };

  return {
    list: async (owner, sessionId) => {
      const { sandbox } = await find(owner, sessionId);
      return { terminals: sandbox.report?.terminals ?? [] };
    },
    create,
    close,
    ticket,
  };
};
