import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from '../../e2e/support/cluster.ts';

export interface SeenPod {
  /** When it was told of first, on the clock of `performance.now()`. */
  readonly createdMs: number;
  readyMs: number | null;
}

const COLUMNS =
  '{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.containerStatuses[?(@.name=="agent")].started}{"\\n"}';

/** When the pods of a namespace appear and become ready, or their agent's container has started, as kubectl's watch tells. */
export class PodWatch {
  readonly #child: ChildProcess;
  readonly #pods = new Map<string, SeenPod>();

  constructor(namespace: string) {
    this.#child = spawn(
      'kubectl',
      ['--namespace', namespace, 'get', 'pods', '--watch', `--output=jsonpath=${COLUMNS}`],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (this.#child.stdout === null) throw new Error('kubectl has no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
  }

  /** The youngest of this name that was created after `sinceMs`, once it is ready. */
  async ready(name: string, sinceMs: number): Promise<{ createdMs: number; readyMs: number }> {
    const find = (): SeenPod | undefined => this.#pods.get(name);
    await eventually(`pod ${name} is ready`, async () => {
      const pod = find();
      return pod !== undefined && pod.createdMs > sinceMs && pod.readyMs !== null;
    });
    const { createdMs = 0, readyMs } = find() ?? {};
    return { createdMs, readyMs: readyMs ?? 0 };
  }

  /** When the first pod of those became ready. */
  async firstReady(isOneOf: (name: string) => boolean, timeoutMs: number): Promise<number> {
    const times = (): number[] =>
      [...this.#pods].flatMap(([name, { readyMs }]) => (readyMs !== null && isOneOf(name) ? [readyMs] : []));
    await eventually('a pod is ready', async () => times().length > 0, timeoutMs);
    return Math.min(...times());
  }

  /** Forgets a pod, so that the next one of the same name counts as new. */
  forget(name: string): void {
    this.#pods.delete(name);
  }

  end(): void {
    this.#child.kill();
  }

  #take(line: string): void {
    const [name = '', ready, started] = line.split(' ');
    const nowMs = performance.now();
    const pod = this.#pods.get(name) ?? { createdMs: nowMs, readyMs: null };
    if (ready === 'True' || started === 'true') pod.readyMs ??= nowMs;
    this.#pods.set(name, pod);
  }
}
