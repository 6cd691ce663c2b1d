import { statfs } from 'node:fs/promises';
import type { HealthCheck } from '../modules/system/health-check.ts';
import type { DemoModel } from './demo-model.ts';
import type { WsProxy } from './ws-proxy.ts';

const GIGABYTE = 1024 ** 3;
/** Below this the server does not even start, and PostgreSQL is about to stop. */
const CRITICAL_BYTES = 0.2 * GIGABYTE;
/** An agent that installs a project's dependencies takes this in a minute. */
const LOW_BYTES = 2 * GIGABYTE;

const gigabytes = (bytes: number): string => `${(bytes / GIGABYTE).toFixed(1)} GB`;

/** `freeBytes` is asked at every check. */
export const diskCheck = (
  dataDir: string,
  read: (path: string) => Promise<{ freeBytes: number; totalBytes: number }> = async (path) => {
    const { bavail, blocks, bsize } = await statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
): HealthCheck => ({
  name: 'disk',
  check: async () => {
    const { freeBytes, totalBytes } = await read(dataDir);
    const detail = `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} are free in ${dataDir}.`;
    if (freeBytes >= LOW_BYTES) return { state: 'ok', detail, fix: null };
    return {
      state: freeBytes < CRITICAL_BYTES ? 'failed' : 'warning',
      detail,
      fix: 'Free some space: workspaces of agents below agents/ are usually the largest; deleting an agent deletes its workspace.',
    };
  },
});

const FREQUENT_RESTARTS = 3;

export const proxyCheck = (proxy: Pick<WsProxy, 'metrics' | 'status'>): HealthCheck => ({
  name: 'terminals (ws-proxy)',
  check: async () => {
    const text = await proxy.metrics();
    const { state, restarts } = proxy.status;
    const restarted = restarts === 0 ? '' : `, started again ${restarts} times`;
    if (text === null) {
      return {
        state: 'failed',
        detail: `It does not answer (${state}${restarted}); terminals do not open.`,
        fix: 'make restart SVC=ws; if that does not help, look at its log: make logs SVC=ws.',
      };
    }
    const open = /^sac_ws_connections (\d+)$/m.exec(text)?.[1] ?? '0';
    const detail = `${open} terminal connections${restarted}.`;
    if (restarts < FREQUENT_RESTARTS) return { state: 'ok', detail, fix: null };
    return { state: 'warning', detail, fix: 'It keeps ending; the reason is in its log: make logs SVC=ws.' };
  },
});

export const demoModelCheck = (demo: Pick<DemoModel, 'state' | 'url'>): HealthCheck => ({
  name: 'demo model',
  check: async () => {
    if (demo.state === 'running') return { state: 'ok', detail: `Listens at ${demo.url}.`, fix: null };
    return {
      state: 'failed',
      detail: 'It has ended and is being started again; agents with the demo model get no answers.',
      fix: 'Wait a moment. If it stays so, look at its log: make logs SVC=demo.',
    };
  },
});
