import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomInt, randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { build } from 'esbuild';
import { pino } from 'pino';
import { root, serverOptions } from '../../scripts/bundles.ts';
import type { ObservedSandbox, Runtime, SandboxSpec } from '../src/runtimes/runtime.ts';
import { createLocalRuntime } from '../src/runtimes/local/local-runtime.ts';
import type { LocalIsolation } from '../src/runtimes/local/isolation.ts';
import { placesOf } from '../src/runtimes/local/places.ts';
import { SandboxGateway, waitFor } from './sandbox-gateway.ts';
import { testCatalog } from './test-clis.ts';

/** Bundles of the sources as they are now, laid out as in an installation. */
const buildSandbox = async (dir: string): Promise<string> => {
  const dist = join(dir, 'sandbox/dist');
  await build({ ...serverOptions('sandbox'), outdir: dist, sourcemap: false, logLevel: 'error' });
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'));
  return dist;
};

const logger = pino({ level: 'silent' });

export interface MachineOptions {
  readonly probe?: () => Promise<LocalIsolation>;
}

/** A plain shell of an agent of its own. */
export const sandboxSpec = (overrides: Partial<SandboxSpec> = {}): SandboxSpec => ({
  agentUid: randomUUID(),
  userId: '1',
  agentId: String(randomInt(1, 2 ** 47)),
  generation: 1,
  specHash: 'hash-1',
  agentName: 'Tester',
  cli: 'shell',
  permissionMode: 'default',
  instructions: '',
  provider: null,
  providerToken: null,
  proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
  environment: [],
  recording: { isOn: true, totalBytes: 16 * 1024 * 1024 },
  terminalKey: 'terminal-key-'.padEnd(43, 'x'),
  internalCredential: 'internal-credential',
  ...overrides,
});

/** One data directory with a local runtime on it, as `sac` has. */
export class SandboxMachine {
  readonly dataDir: string;
  readonly gateway = new SandboxGateway();
  readonly catalog = testCatalog();
  runtime: Runtime;
  readonly #options: MachineOptions;
  readonly #sandboxDist: string;

  private constructor(dataDir: string, sandboxDist: string, options: MachineOptions) {
    this.dataDir = dataDir;
    this.#sandboxDist = sandboxDist;
    this.#options = options;
    this.runtime = this.#makeRuntime();
  }

  static async start(options: MachineOptions = {}): Promise<SandboxMachine> {
    const dataDir = await mkdtemp(join(tmpdir(), 'sac-'));
    const machine = new SandboxMachine(dataDir, await buildSandbox(join(dataDir, 'code')), options);
    await mkdir(machine.runDir, { mode: 0o700 });
    await machine.gateway.listen(machine.internalSocketPath);
    await machine.runtime.start();
    return machine;
  }

  get runDir(): string {
    return join(this.dataDir, 'run');
  }

  get internalSocketPath(): string {
    return join(this.runDir, 'internal.sock');
  }

  #makeRuntime(): Runtime {
    return createLocalRuntime({
      dataDir: this.dataDir,
      runDir: this.runDir,
      catalog: this.catalog,
      internalSocketPath: this.internalSocketPath,
      logger,
      sandboxDist: this.#sandboxDist,
      ...(this.#options.probe === undefined ? {} : { probe: this.#options.probe }),
    });
  }

  /** What a restart of the server does to the runtime. */
  async restartRuntime(): Promise<Runtime> {
    await this.runtime.close();
    this.runtime = this.#makeRuntime();
    await this.runtime.start();
    return this.runtime;
  }

  spec(overrides: Partial<SandboxSpec> = {}): SandboxSpec {
    return sandboxSpec(overrides);
  }

  /** Claude Code without questions on a scripted model. */
  claudeSpec(modelUrl: string, overrides: Partial<SandboxSpec> = {}): SandboxSpec {
    return this.spec({
      cli: 'claude-code',
      permissionMode: 'bypass',
      providerToken: 'canary-token',
      provider: {
        preset: 'demo',
        protocol: 'anthropic',
        baseUrl: modelUrl,
        models: { main: 'demo-model-1', strong: null, small: null },
      },
      ...overrides,
    });
  }

  places(agentUid: string) {
    return placesOf(this.dataDir, this.runDir, agentUid);
  }

  async state(agentUid: string, state: ObservedSandbox['state'], timeoutMs = 60_000): Promise<ObservedSandbox> {
    return waitFor(
      () => {
        const observed = this.runtime.observed().get(agentUid);
        return observed?.state === state ? observed : undefined;
      },
      timeoutMs,
      () => `${agentUid} is ${JSON.stringify(this.runtime.observed().get(agentUid))}`,
    );
  }

  async supervisorPid(agentUid: string): Promise<number> {
    return (JSON.parse(await readFile(this.places(agentUid).record, 'utf8')) as { pid: number }).pid;
  }

  /** The terminal server's control API. */
  async control(agentUid: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const socketPath = join(this.places(agentUid).paths.runDir, 'control.sock');
    return new Promise((resolveAnswer, reject) => {
      const call = request(
        { socketPath, method, path, headers: body === undefined ? {} : { 'content-type': 'application/json' } },
        (response) => {
          text(response).then((body) => resolveAnswer(body === '' ? undefined : JSON.parse(body)), reject);
        },
      );
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async screen(agentUid: string, terminal = 'main'): Promise<string> {
    const { lines } = (await this.control(agentUid, 'GET', `/terminals/${terminal}/screen`)) as { lines: string[] };
    return lines.join('\n').trimEnd();
  }

  async screenShows(agentUid: string, pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    let last = '';
    return waitFor(
      async () => {
        last = await this.screen(agentUid).catch(String);
        return pattern.test(last) ? last : undefined;
      },
      timeoutMs,
      () => `${String(pattern)} is not on the screen:\n${last}`,
    );
  }

  /** Types into a terminal of the sandbox. */
  async type(agentUid: string, keys: string, terminal = 'main'): Promise<void> {
    await this.control(agentUid, 'POST', `/terminals/${terminal}/keys`, { data: Buffer.from(keys).toString('base64') });
  }

  async close(): Promise<void> {
    const uids = [...this.runtime.observed().keys()];
    await Promise.all(uids.map((agentUid) => this.runtime.stop(agentUid, { graceMs: 0 })));
    await this.runtime.close();
    await this.catalog.close();
    await this.gateway.close();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Processes of the machine whose command line holds `text`. */
export const processesWith = async (text: string): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) =>
      (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(text) ? pid : null,
    ),
  );
  return found.filter((pid): pid is number => pid !== null);
};
