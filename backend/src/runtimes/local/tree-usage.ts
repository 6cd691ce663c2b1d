import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxUsage } from '@sac/contracts';

/** What the kernel counts in for programs, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Looks further apart than this say nothing of now. */
const RECENT_MS = 60_000;
const FIRST_LOOK_MS = 1_000;
/** Less than between two looks at the same agent. */
const SCAN_KEPT_MS = 500;
/** Whoever looks again sooner is told the same. */
const KEPT_MS = 5_000;

interface Process {
  readonly pid: number;
  readonly parentPid: number;
  /** With that of its children that ended. */
  readonly ticks: number;
}

const processOf = (pid: number, stat: string): Process => {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (index: number): number => fields[index] ?? 0;
  return { pid, parentPid: at(1), ticks: at(11) + at(12) + at(13) + at(14) };
};

interface Scan {
  readonly atMs: number;
  readonly children: ReadonlyMap<number, readonly Process[]>;
}

/** All processes of this machine, by their parents. One after the other: an agent may have thousands. */
const scanProcesses = async (): Promise<Scan> => {
  const atMs = performance.now();
  const children = new Map<number, Process[]>();
  for (const name of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => null);
    if (stat === null) continue;
    const found = processOf(Number(name), stat);
    const siblings = children.get(found.parentPid);
    if (siblings === undefined) children.set(found.parentPid, [found]);
    else siblings.push(found);
  }
  return { atMs, children };
};

const descendants = ({ children }: Scan, pid: number): Set<Process> => {
  const found = new Set(children.get(pid));
  // A set goes on to what is added meanwhile, and takes nothing twice.
  for (const next of found) for (const child of children.get(next.pid) ?? []) found.add(child);
  return found;
};

/** What programs share is divided among them; where that may not be read it counts for each. */
const memoryBytes = async ({ pid }: Process): Promise<number> => {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
  const kibibytes =
    /^Pss:\s+([0-9]+) kB$/m.exec(await read('smaps_rollup')) ?? /^VmRSS:\s+([0-9]+) kB$/m.exec(await read('status'));
  return Number(kibibytes?.[1] ?? 0) * 1_024;
};

interface Look {
  readonly atMs: number;
  readonly ticks: number;
  readonly processes: ReadonlySet<Process>;
}
interface Answer {
  readonly look: Look;
  readonly usage: SandboxUsage | null;
}

/** What runs below a process takes, found in /proc while somebody looks. */
export class TreeUsage {
  readonly #answers = new Map<number, Promise<Answer | null>>();
  #scan: Promise<Scan> | null = null;
  #scanUntilMs = 0;

  /** Null where there is no /proc, and when nothing runs below `pid`. Never rejects. */
  async find(pid: number): Promise<SandboxUsage | null> {
    const before = this.#answers.get(pid);
    const answer = this.#answer(pid, before).catch(() => null);
    this.#answers.set(pid, answer);
    return (await answer)?.usage ?? null;
  }

  forget(pid: number): void {
    this.#answers.delete(pid);
  }

  async #answer(pid: number, before: Promise<Answer | null> | undefined): Promise<Answer> {
    const last = await before;
    if (last && performance.now() - last.look.atMs < KEPT_MS) return last;
    const isRecent = last && performance.now() - last.look.atMs < RECENT_MS;
    const from = isRecent ? last.look : await this.#look(pid);
    if (!isRecent) await delay(FIRST_LOOK_MS);
    const look = await this.#look(pid);
    if (look.processes.size === 0) return { look, usage: null };
    let heldBytes = 0;
    for (const each of look.processes) heldBytes += await memoryBytes(each);
    const cores = (look.ticks - from.ticks) / TICKS_PER_SECOND / ((look.atMs - from.atMs) / 1_000);
    const usage = {
      // What ended without anybody waiting for it is missing in the second look.
      cpu: Math.max(0, cores),
      cpuLimit: null,
      memoryBytes: heldBytes,
      memoryLimitBytes: null,
      measuredAt: new Date().toISOString(),
    };
    return { look, usage };
  }

  async #look(pid: number): Promise<Look> {
    const scan = await this.#scanShared();
    const processes = descendants(scan, pid);
    let ticks = 0;
    for (const each of processes) ticks += each.ticks;
    return { atMs: scan.atMs, ticks, processes };
  }

  /** One look at the machine answers for all agents that somebody looks at. */
  #scanShared(): Promise<Scan> {
    if (this.#scan !== null && performance.now() < this.#scanUntilMs) return this.#scan;
    this.#scanUntilMs = performance.now() + SCAN_KEPT_MS;
    this.#scan = scanProcesses();
    return this.#scan;
  }
}
