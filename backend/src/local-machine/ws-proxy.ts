import { readdirSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { SigningKeys } from '../config/keys.ts';
import { clientAddressBehind } from '../terminal-relay/client-address.ts';
import { handOver } from '../terminal-relay/hand-over.ts';
import { encodeTicketKeys, type ParentMessage } from '../terminal-relay/messages.ts';
import { writePrivateFile } from './private-file.ts';
import { endProcess, identityOf, isAlive, parseIdentity, type ProcessIdentity } from './process-identity.ts';
import { SupervisedChild } from './supervised-child.ts';

export interface WsProxyOptions {
  readonly script: string;
  readonly runDir: string;
  readonly logFile: string;
  readonly logger: Logger;
  readonly logLevel: string;
  readonly ticketKeys: SigningKeys;
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
}

const RECORD = /^ws-proxy-\d+\.json$/;
const STOP_GRACE_MS = 3_000;

const recordedProxies = (runDir: string): { readonly path: string; readonly identity: ProcessIdentity | null }[] =>
  readdirSync(runDir)
    .filter((name) => RECORD.test(name))
    .map((name) => {
      const path = join(runDir, name);
      try {
        return { path, identity: parseIdentity(JSON.parse(readFileSync(path, 'utf8'))) };
      } catch {
        return { path, identity: null };
      }
    });

/** Forgets proxies that have ended. Those of an earlier `sac` go on until their last terminal closes. */
const forgetEnded = (runDir: string): void => {
  for (const { path, identity } of recordedProxies(runDir)) {
    if (identity === null || !isAlive(identity)) rmSync(path, { force: true });
  }
};

/** Ends every proxy that was started for this data directory, by this process or an earlier one. */
export const endAllProxies = async (runDir: string): Promise<void> => {
  await Promise.all(
    recordedProxies(runDir).map(async ({ path, identity }) => {
      if (identity !== null) await endProcess(identity, { signal: 'SIGTERM', graceMs: STOP_GRACE_MS });
      rmSync(path, { force: true });
    }),
  );
};

/** The ws-proxy child: configured over IPC, handed every upgrade under `/ws/` together with its TCP socket. */
export class WsProxy {
  readonly child: SupervisedChild;
  readonly #clientAddress: ReturnType<typeof clientAddressBehind>;

  constructor(options: WsProxyOptions) {
    this.#clientAddress = clientAddressBehind(options.trustedProxies);
    forgetEnded(options.runDir);
    const configure: ParentMessage = {
      type: 'configure',
      config: {
        ticketKeys: encodeTicketKeys(options.ticketKeys.all),
        allowedOrigins: [...options.allowedOrigins],
        upstream: { unixDirectory: options.runDir, tcp: false },
      },
    };
    this.child = new SupervisedChild({
      name: 'ws-proxy',
      script: options.script,
      env: { SAC_LOG_LEVEL: options.logLevel },
      logFile: options.logFile,
      logger: options.logger,
      stopGraceMs: STOP_GRACE_MS,
      onSpawn: (child) => {
        const identity = child.pid === undefined ? null : identityOf(child.pid);
        if (identity !== null) {
          writePrivateFile(join(options.runDir, `ws-proxy-${identity.pid}.json`), JSON.stringify(identity));
        }
        child.once('exit', () => forgetEnded(options.runDir));
        child.send(configure, (err) => {
          if (err) options.logger.error({ err }, 'ws-proxy could not be configured');
        });
      },
    });
  }

  handUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const forwarded = request.headers['x-forwarded-for'];
    const remoteAddress = this.#clientAddress(
      request.socket.remoteAddress ?? '',
      Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
    );
    handOver(this.child.process, request, socket, { head, remoteAddress });
  }
}
