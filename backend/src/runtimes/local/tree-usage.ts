import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxUsage } from '@sac/contracts';

/** What the kernel counts in for programs, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Looks further apart than this say nothing of now. */
const RECENT_MS = 60_000;
const FIRST_LOOK_MS = 1_000;
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

/** All processes of this machine, by their parents. One after the other: nobody waits for it. */
const readProcesses = async (): Promise<Map<number, Process[]>> => {
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
  return children;
};

const descendants = (children: ReadonlyMap<number, readonly Process[]>, pid: number): Process[] => {
  const found: Process[] = [];
  for (const next of children.get(pid) ?? []) found.push(next, ...descendants(children, next.pid));
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
  readonly processes: readonly Process[];
}
interface Answer {
  readonly look: Look;
  readonly usage: SandboxUsage | null;
}

/** What runs below a process takes, found in /proc while somebody looks. */
export class TreeUsage {
  readonly #answers = new Map<number, Promise<Answer | null>>();

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
    if (look.processes.length === 0) return { look, usage: null };
    const sizes = await Promise.all(look.processes.map(memoryBytes));
    const cores = (look.ticks - from.ticks) / TICKS_PER_SECOND / ((look.atMs - from.atMs) / 1_000);
    const usage = {
      // What ended without anybody waiting for it is missing in the second look.
      cpu: Math.max(0, cores),
      cpuLimit: null,
      memoryBytes: sizes.reduce((sum, size) => sum + size, 0),
      memoryLimitBytes: null,
      measuredAt: new Date().toISOString(),
    };
    return { look, usage };
  }

  async #look(pid: number): Promise<Look> {
    const processes = descendants(await readProcesses(), pid);
    return { atMs: performance.now(), ticks: processes.reduce((sum, { ticks }) => sum + ticks, 0), processes };
  }
}
