import type { ServerResponse } from 'node:http';
import { COMMAND_HEARTBEAT_MS, type CommandStreamLine } from '@sac/contracts';
import type { Logger } from 'pino';
import type { Database } from '../../db/database.ts';
import type { NotificationHub } from '../../db/listen.ts';
import { COMMANDS_CHANNEL } from '../agents/channels.ts';
import { dispatchNextPrompt } from '../prompts/dispatcher.ts';
import type { SidecarIdentity } from './internal-auth.ts';
import { countAttempt, listPendingCommands, toSandboxCommand } from './repository.ts';

/** Open command streams of this process, one per agent: a new connection of a sidecar ends its old one. */
export interface CommandStreams {
  /** Writes commands to the response until either side ends it. The response has its head already. */
  open(identity: SidecarIdentity, response: ServerResponse): void;
  close(): void;
}

interface Stream {
  readonly identity: SidecarIdentity;
  readonly response: ServerResponse;
  /** Sent on this connection and still open. Not a highest id: transactions do not commit in the order of their ids. */
  sent: ReadonlySet<string>;
  busy: boolean;
  again: boolean;
}

/** After a failure to read commands; a notification may make it earlier. */
const RETRY_MS = 1_000;
/** A sidecar that reads nothing is cut off, so that commands are not piled up in memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024;

export const createCommandStreams = (deps: {
  readonly db: Database;
  readonly notifications: NotificationHub;
  readonly logger: Logger;
}): CommandStreams => {
  const { db, logger } = deps;
  const streams = new Map<string, Stream>();
  let isClosed = false;

  const end = (stream: Stream): void => {
    if (streams.get(stream.identity.agentId) === stream) streams.delete(stream.identity.agentId);
    stream.response.end();
  };

  const write = (stream: Stream, line: CommandStreamLine): void => {
    stream.response.write(`${JSON.stringify(line)}\n`);
    if (stream.response.writableLength <= MAX_BUFFERED_BYTES) return;
    logger.warn(
      { agentUid: stream.identity.agentUid },
      'a sidecar does not read its commands; its connection is ended',
    );
    stream.response.destroy();
  };

  const sendPending = async (stream: Stream): Promise<void> => {
    const { agentId, generation } = stream.identity;
    const current = await db
      .selectFrom('agents')
      .select('id')
      .where('id', '=', agentId)
      .where('generation', '=', generation)
      .executeTakeFirst();
    if (!current) {
      end(stream);
      return;
    }
    await dispatchNextPrompt(db, agentId, generation);
    const pending = await listPendingCommands(db, agentId, generation);
    const unsent = pending.filter((row) => !stream.sent.has(row.id));
    if (unsent.length > 0)
      await countAttempt(
        db,
        unsent.map((row) => row.id),
      );
    stream.sent = new Set(pending.map((row) => row.id));
    for (const row of unsent) write(stream, toSandboxCommand(row));
  };

  /** One at a time per stream; a wake-up during the work makes it run again. */
  const pump = async (stream: Stream): Promise<void> => {
    stream.again = true;
    if (stream.busy) return;
    stream.busy = true;
    try {
      while (stream.again && !stream.response.destroyed && !stream.response.writableEnded) {
        stream.again = false;
        await sendPending(stream);
      }
    } catch (err) {
      logger.warn({ err, agentUid: stream.identity.agentUid }, 'commands could not be read');
      setTimeout(wakeUp, RETRY_MS, stream).unref();
    } finally {
      stream.busy = false;
    }
  };

  /** `pump` ends all its failures itself. */
  const wakeUp = (stream: Stream): void => {
    pump(stream).catch((err: unknown) => logger.error({ err }, 'command stream failed'));
  };

  const unsubscribe = deps.notifications.subscribe(COMMANDS_CHANNEL, (agentId) => {
    if (agentId === null) for (const stream of streams.values()) wakeUp(stream);
    else {
      const stream = streams.get(agentId);
      if (stream) wakeUp(stream);
    }
  });

  const open: CommandStreams['open'] = (identity, response) => {
    // Gone while its credential was checked: its end has been told and is not told again.
    if (response.destroyed) return;
    if (isClosed) return void response.end();
    const previous = streams.get(identity.agentId);
    const stream: Stream = { identity, response, sent: new Set(), busy: false, again: false };
    streams.set(identity.agentId, stream);
    if (previous) end(previous);
    const heartbeat = setInterval(() => write(stream, { kind: 'heartbeat' }), COMMAND_HEARTBEAT_MS);
    response.on('close', () => {
      clearInterval(heartbeat);
      if (streams.get(identity.agentId) === stream) streams.delete(identity.agentId);
    });
    response.on('error', (err) => logger.debug({ err, agentUid: identity.agentUid }, 'command stream ended'));
    write(stream, { kind: 'heartbeat' });
    wakeUp(stream);
  };

  return {
    open,
    close: () => {
      isClosed = true;
      unsubscribe();
      for (const stream of [...streams.values()]) end(stream);
    },
  };
};
