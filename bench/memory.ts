import { readdir, readFile } from 'node:fs/promises';

interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  readonly commandLine: string;
}

async function readProcess(pid: number): Promise<ProcessInfo | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    return { pid, parentPid: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]), commandLine };
  } catch {
    return null; // ended meanwhile
  }
}

async function pssBytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s*(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/**
 * Proportional set size of `rootPid`, everything below it, and every process that names `marker` (the data
 * directory) in its command line with everything below: PostgreSQL is no child of `sac`.
 */
export async function pssOfTreeBytes(rootPid: number, marker: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = (await Promise.all(pids.map(readProcess))).filter((info) => info !== null);
  const counted = new Set(processes.filter((info) => info.commandLine.includes(marker)).map((info) => info.pid));
  counted.add(rootPid);
  counted.delete(process.pid);
  for (let size = -1; size !== counted.size;) {
    size = counted.size;
    for (const info of processes) if (counted.has(info.parentPid)) counted.add(info.pid);
  }
  const sizes = await Promise.all([...counted].map(pssBytes));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
