import type { Server } from 'node:http';
import { Socket } from 'node:net';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import { createControlServer } from './control-server.ts';
import { ParentMessage, type ChildMessage } from './messages.ts';
import { refuse } from '../lib/refusal.ts';
import { Relay } from './relay.ts';

/** Without a parent nobody can open terminals any more; what is open may go on for this long. */
export const ORPHAN_LIFETIME_MS = 24 * 3_600_000;

const ParentMessageCheck = Compile(ParentMessage);
const NOT_CONFIGURED = {
  code: 'unavailable',
  message: 'The terminal proxy is starting; try again in a moment.',
  retryAfterSeconds: 1,
} as const;

/** The two ends of an IPC channel that a child needs; `process` has them. */
export interface ParentChannel {
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
  once(event: 'disconnect', listener: () => void): unknown;
  send(message: ChildMessage): void;
}

export interface ChildRelay {
  /** The relay once the parent has configured it. */
  readonly relay: () => Relay | null;
  /** Resolves when the parent is gone and the last connection has ended, or has been cut after 24 hours. */
  readonly orphaned: Promise<void>;
}

/**
 * ws-proxy as a child of `sac`. The parent's death only closes the channel: terminals that are open stay open,
 * and the new parent starts a proxy of its own.
 */
export const serveParent = (channel: ParentChannel, logger: Logger): ChildRelay => {
  let relay: Relay | null = null;
  let control: Server | null = null;

  /** Lives as long as the process: terminals go on without the parent, and so does the duty to cut them. */
  const listen = (path: string): void => {
    control ??= createControlServer((authSessions) => relay?.revoke(authSessions), logger)
      .on('error', (err) => logger.error({ err }, 'the control socket failed; sign-outs do not reach this proxy'))
      .listen(path);
  };

  const receive = (message: ParentMessage, handle: unknown): void => {
    if (message.type === 'configure') {
      relay?.stopAccepting();
      relay = new Relay(message.config, logger);
      relay.revoke(message.revoked ?? []);
      if (message.controlSocket !== undefined) listen(message.controlSocket);
      channel.send({ type: 'ready' });
    } else if (message.type === 'metrics') {
      channel.send({ type: 'metrics', id: message.id, text: relay?.metricsText ?? '' });
    } else if (handle instanceof Socket) {
      if (relay) relay.handleUpgrade(message.request, handle, Buffer.from(message.headBase64, 'base64'));
      else refuse(handle, NOT_CONFIGURED);
    }
    // Else: the client left before its socket arrived here.
  };

  channel.on('message', (message, handle) => {
    if (ParentMessageCheck.Check(message)) receive(message, handle);
    else {
      logger.error('the parent sent a message this proxy does not know');
      if (handle instanceof Socket) handle.destroy();
    }
  });

  const disconnected = new Promise<void>((resolve) => {
    channel.once('disconnect', resolve);
  });
  const orphaned = disconnected.then(async () => {
    const connections = relay?.connectionCount ?? 0;
    logger.warn({ connections }, 'parent is gone; open terminals go on, new ones are not taken');
    relay?.stopAccepting();
    const cut = setTimeout(() => relay?.destroy(), ORPHAN_LIFETIME_MS);
    await relay?.whenEmpty();
    clearTimeout(cut);
  });
  return { relay: () => relay, orphaned };
};
