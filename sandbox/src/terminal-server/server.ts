import type { AddressInfo, ListenOptions } from 'node:net';
import { closeCodes } from '@sac/contracts';
import fastify, { type FastifyInstance } from 'fastify';
import type { LaunchSpec } from '../launch-spec.ts';
import { bounds } from './constants.ts';
import { registerConnections } from './connections.ts';
import { registerControl } from './control.ts';
import { InnerTokens } from './inner-token.ts';
import { removeStaleSocket } from './listen.ts';
import { Records } from './recording/records.ts';
import { Screens } from './screen/screens.ts';
import { Terminals } from './terminals.ts';

export interface TerminalServerOptions {
  readonly spec: LaunchSpec;
  readonly terminalListen: ListenOptions;
  readonly controlListen: ListenOptions;
  /** Something broke that only a new process can mend. */
  readonly onFatal: (error: Error) => void;
  /** Something is given up that nobody has to mend at once, with the reason. */
  readonly onWarning: (message: string) => void;
}

export interface TerminalServer {
  /** Where viewers connect; the port that was really taken for tcp. */
  readonly address: AddressInfo | string | null;
  readonly terminals: Terminals;
  /** Tells viewers, ends all processes (HUP, KILL after the grace time), closes both sockets. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 120_000;
const SILENCE_CHECK_MS = 1_000;
const createApp = (): FastifyInstance =>
  fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Who connects and says nothing gives the place to somebody else soon.
    http: { headersTimeout: bounds.helloTimeoutMs, connectionsCheckingInterval: SILENCE_CHECK_MS },
    forceCloseConnections: true,
    // Our schemas are tested; to check them against the schema of schemas takes a quarter of the start.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, validateSchema: false } },
  });

const listen = async (app: FastifyInstance, options: ListenOptions): Promise<void> => {
  await app.ready();
  app.server.maxConnections = bounds.sockets;
  removeStaleSocket(options);
  await new Promise<void>((resolve, reject) => {
    app.server.once('error', reject);
    app.server.listen(options, () => {
      app.server.off('error', reject);
      resolve();
    });
  });
};

const closeApp = async (app: FastifyInstance): Promise<void> => {
  // Fastify closes what it was told to listen on; these servers listen by descriptor or path themselves.
  const closed = new Promise<void>((resolve) => app.server.close(() => resolve()));
  app.server.closeAllConnections();
  await app.close();
  await closed;
};

/** Starts `main` and serves viewers and the sidecar. */
export const createTerminalServer = async (options: TerminalServerOptions): Promise<TerminalServer> => {
  const screens = new Screens(options.onFatal);
  const records = options.spec.recording === null ? null : new Records(options.spec.recording, options.onWarning);
  const terminals = new Terminals(options.spec, { screens, records });
  const viewers = createApp();
  const control = createApp();
  const close = async (): Promise<void> => {
    await terminals.close(closeCodes.goingAway, 'the sandbox is ending');
    await records?.close();
    await Promise.all([closeApp(viewers), closeApp(control)]);
    await screens.close();
  };
  try {
    await registerConnections(viewers, { terminals, records, tokens: new InnerTokens(options.spec) });
    await registerControl(control, terminals, options.spec.workspaceDir);
    await listen(control, options.controlListen);
    await listen(viewers, options.terminalListen);
  } catch (error) {
    await close();
    throw error;
  }
  return { address: viewers.server.address(), terminals, close };
};
