import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  KEY_ID,
  ORIGIN,
  routeThrough,
  type Destination,
  type Route,
} from '../../sandbox/src/terminal-server/testing/ws-proxy-process.ts';

const parent = fileURLToPath(new URL('../../backend/test/proxy-parent.ts', import.meta.url));
const ASK_EVERY_MS = 5;
const ANSWER_TIMEOUT_MS = 20_000;

/** The proxies of one machine as `sac` runs them, below a parent of their own that hands them their connections. */
export class OneMachineProxy {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #key: string;

  private constructor(child: ChildProcess, port: number, key: string) {
    this.#child = child;
    this.#port = port;
    this.#key = key;
  }

  /** `runDir`: folder below which the Unix sockets of its terminal servers are. */
  static async start(bundle: string, runDir: string): Promise<OneMachineProxy> {
    const key = randomBytes(32).toString('hex');
    const child = fork(parent, [bundle, runDir, ORIGIN], {
      env: { ...process.env, SAC_TERMINAL_TICKET_KEYS: `${KEY_ID}:${key}` },
    });
    const [{ port }] = (await once(child, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })) as [
      { port: number },
    ];
    return new OneMachineProxy(child, port, key);
  }

  route(to: Destination): Route {
    return routeThrough({ port: this.#port, key: this.#key }, to);
  }

  /** SIGKILL for the one that serves; until its parent hands connections to another one. */
  async killAndReplace(): Promise<void> {
    const killed = await this.#serving();
    if (killed === null) throw new Error('no ws-proxy serves');
    process.kill(killed, 'SIGKILL');
    const deadlineMs = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const pid = await this.#serving();
      if (pid !== null && pid !== killed) return;
      if (performance.now() > deadlineMs) throw new Error('no other ws-proxy serves');
      await sleep(ASK_EVERY_MS);
    }
  }

  async end(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }

  async #serving(): Promise<number | null> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    this.#child.send('who serves?');
    const [{ pid }] = (await answer) as [{ pid: number | null }];
    return pid;
  }
}
