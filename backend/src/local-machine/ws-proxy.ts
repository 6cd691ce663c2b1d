import { readdirSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import type { SigningKeys } from '../config/keys.ts';
import { runInBackground } from '../lib/background.ts';
import { clientAddressBehind } from '../terminal-relay/client-address.ts';
import { handOver } from '../terminal-relay/hand-over.ts';
import { ChildMessage, encodeTicketKeys, type ParentMessage } from '../terminal-relay/messages.ts';
import { RevokedSessions } from '../terminal-relay/revoked-sessions.ts';
import { writePrivateFile } from './private-file.ts';
import { endProcess, identityOf, isAlive, parseIdentity, type ProcessIdentity } from './process-identity.ts';
import { tellRevoked } from './proxy-control.ts';
import { SupervisedChild, type ChildStatus } from './supervised-child.ts';

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
/** Terminals are coming back through the other one meanwhile; the start of a process would take the cores from them. */
const RESTART_MIN_MS = 2_000;
/** Little garbage comes of relaying; the default lets it grow to a third of what each connection needs. */
const NODE_ARGS = ['--max-semi-space-size=2'];
/** As many ids as one message may carry. */
const REVOCATION_BATCH = 1_000;

const controlSocketOf = (runDir: string, pid: number): string => join(runDir, `ws-proxy-${pid}.sock`);

/** Nothing when the folder is gone: cleaners of /tmp and a stop that goes on meanwhile must not end the server. */
const entriesOf = (runDir: string): string[] => {
  try {
    return readdirSync(runDir);
  } catch {
    return [];
  }
};

const recordedProxies = (runDir: string): { readonly path: string; readonly identity: ProcessIdentity | null }[] =>
  entriesOf(runDir)
    .filter((name) => RECORD.test(name))
    .map((name) => {
      const path = join(runDir, name);
      try {
        return { path, identity: parseIdentity(JSON.parse(readFileSync(path, 'utf8'))) };
      } catch {
        return { path, identity: null };
      }
    });

const forget = (recordPath: string): void => {
  rmSync(recordPath.replace(/\.json$/, '.sock'), { force: true });
  rmSync(recordPath, { force: true });
};

/** Forgets proxies that have ended. Those of an earlier `sac` go on until their last terminal closes. */
const forgetEnded = (runDir: string): void => {
  for (const { path, identity } of recordedProxies(runDir)) {
    if (identity === null || !isAlive(identity)) forget(path);
  }
};

/** Ends every proxy that was started for this data directory, by this process or an earlier one. */
export const endAllProxies = async (runDir: string): Promise<void> => {
  await Promise.all(
    recordedProxies(runDir).map(async ({ path, identity }) => {
      if (identity !== null) await endProcess(identity, { signal: 'SIGTERM', graceMs: STOP_GRACE_MS });
      forget(path);
    }),
  );
};

const isThere = ({ process }: SupervisedChild): boolean => process?.connected === true;

const METRICS_TIMEOUT_MS = 1_000;
const ChildMessageCheck = Compile(ChildMessage);

/**
 * Two ws-proxy children, configured over IPC. One is handed every upgrade under `/ws/` together with its TCP socket; the
 * other has none until that one ends, so that nobody waits for a process to start.
 */
export class WsProxy {
  readonly #options: WsProxyOptions;
  readonly #clientAddress: ReturnType<typeof clientAddressBehind>;
  readonly #revoked = new RevokedSessions();
  #serving: SupervisedChild;
  #spare: SupervisedChild;
  #lastMetricsId = 0;

  constructor(options: WsProxyOptions) {
    this.#options = options;
    this.#clientAddress = clientAddressBehind(options.trustedProxies);
    forgetEnded(options.runDir);
    this.#serving = this.#makeChild();
    this.#spare = this.#makeChild();
  }

  /** Of the one that serves; restarts are those of both. */
  get status(): ChildStatus {
    const { state, pid, restarts } = this.#current().status;
    return { state, pid, restarts: restarts + this.#spare.status.restarts };
  }

  start(): void {
    this.#serving.start();
    this.#spare.start();
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await Promise.all([this.#serving.stop(), this.#spare.stop()]);
  }

  /** Terminals come back through the one that was started first, while the other one ends. */
  async restart(): Promise<void> {
    this.#current();
    await this.#spare.restart();
    this.#swap();
    await this.#spare.restart();
  }

  /** Forgets both: the one with terminals goes on until the last of them closes. */
  release(): void {
    this.#serving.release();
    this.#spare.release();
  }

  /**
   * Cuts the terminals that were opened in these browser sessions, in this proxy and in those of an earlier `sac`.
   * A proxy that cannot be told is ended: a terminal that should be closed must not stay open.
   */
  revoke(authSessions: readonly string[]): void {
    this.#revoked.add(authSessions, Date.now());
    for (const { identity } of recordedProxies(this.#options.runDir)) {
      if (identity === null || !isAlive(identity)) continue;
      const socketPath = controlSocketOf(this.#options.runDir, identity.pid);
      runInBackground(this.#options.logger, 'ending a ws-proxy that did not take a sign-out', () =>
        tellRevoked(socketPath, authSessions, () => isAlive(identity)).catch(async (err: unknown) => {
          this.#options.logger.error({ err, pid: identity.pid }, 'ws-proxy did not take a sign-out; ending it');
          await endProcess(identity, { signal: 'SIGTERM', graceMs: STOP_GRACE_MS });
        }),
      );
    }
  }

  /** Metrics of the proxy that serves, in the text format; null when it does not answer within a second. */
  metrics(): Promise<string | null> {
    const child = this.#current().process;
    const id = (this.#lastMetricsId += 1);
    const answer = Promise.withResolvers<string | null>();
    const receive = (message: unknown): void => {
      if (ChildMessageCheck.Check(message) && message.type === 'metrics' && message.id === id)
        answer.resolve(message.text);
    };
    const timer = setTimeout(() => answer.resolve(null), METRICS_TIMEOUT_MS);
    child?.on('message', receive);
    const question: ParentMessage = { type: 'metrics', id };
    if (child?.connected === true) child.send(question, (err) => (err ? answer.resolve(null) : undefined));
    else answer.resolve(null);
    return answer.promise.finally(() => {
      clearTimeout(timer);
      child?.off('message', receive);
    });
  }

  #makeChild(): SupervisedChild {
    const { script, runDir, logFile, logger, logLevel } = this.#options;
    return new SupervisedChild({
      name: 'ws-proxy',
      script,
      nodeArgs: NODE_ARGS,
      env: { SAC_LOG_LEVEL: logLevel },
      logFile,
      logger,
      stopGraceMs: STOP_GRACE_MS,
      restartMinMs: RESTART_MIN_MS,
      onSpawn: (child) => {
        const identity = child.pid === undefined ? null : identityOf(child.pid);
        if (identity !== null) {
          writePrivateFile(join(runDir, `ws-proxy-${identity.pid}.json`), JSON.stringify(identity));
        }
        child.once('exit', () => forgetEnded(runDir));
        child.send(this.#configuration(child.pid), (err) => {
          if (err) logger.error({ err }, 'ws-proxy could not be configured');
        });
      },
    });
  }

  /** The one that serves, which is the other one from when this one has ended. */
  #current(): SupervisedChild {
    if (!isThere(this.#serving) && isThere(this.#spare)) this.#swap();
    return this.#serving;
  }

  #swap(): void {
    [this.#serving, this.#spare] = [this.#spare, this.#serving];
  }

  #configuration(pid: number | undefined): ParentMessage {
    const { ticketKeys, allowedOrigins, runDir } = this.#options;
    return {
      type: 'configure',
      config: {
        ticketKeys: encodeTicketKeys(ticketKeys.all),
        allowedOrigins: [...allowedOrigins],
        upstream: { unixDirectory: runDir, tcp: false },
      },
      ...(pid === undefined ? {} : { controlSocket: controlSocketOf(runDir, pid) }),
      revoked: this.#revoked.all().slice(-REVOCATION_BATCH),
    };
  }

  handUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const forwarded = request.headers['x-forwarded-for'];
    const remoteAddress = this.#clientAddress(
      request.socket.remoteAddress ?? '',
      Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
    );
    handOver(this.#current().process, request, socket, { head, remoteAddress });
  }
}
