/**
 * A browser on a terminal in which `yes` runs: frames per second of the page, memory of page and servers, and how soon
 * Ctrl+C ends it. Run `make bench ARGS=terminal-page`. Prints each figure with its bound; exits 1 when one is broken.
 *
 * SAC_BENCH_QUICK=1: shorter, to see that it works; the figures then mean little.
 */
import { chromium, type CDPSession, type Page } from '@playwright/test';
import { setTimeout as sleep } from 'node:timers/promises';
import { redeemAdminLink } from '../e2e/support/api.ts';
import { launchOptions } from '../e2e/support/browser.ts';
import { signIn } from '../e2e/support/people.ts';
import { createInstallation, linkIn, type Installation } from '../e2e/support/sac.ts';
import { percentile, report, type Figure } from './figures.ts';
import { pssOfTreeBytes } from './memory.ts';

const quick = process.env['SAC_BENCH_QUICK'] === '1';
const FLOOD_SECONDS = quick ? 10 : 60;
const WARM_UP_SECONDS = quick ? 3 : 10;
const INTERRUPTS = quick ? 5 : 20;
/** Long enough for `yes` to fill the screen again. */
const BETWEEN_INTERRUPTS_MS = 1_000;
const MEBIBYTE = 1024 ** 2;

interface Memory {
  readonly pageBytes: number;
  readonly serversBytes: number;
}

/** A new shell agent. @returns the address of its page */
const createShell = async (page: Page, installation: Installation): Promise<string> => {
  const user = await redeemAdminLink(linkIn(await installation.start()), 'bench');
  const agent = await user.call('createAgent', {
    body: {
      name: 'bench',
      icon: 'terminal',
      description: '',
      instructions: '',
      cli: 'shell',
      permissionMode: 'default',
      provider: null,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      environment: [],
    },
  });
  await signIn(page, installation.origin, 'bench');
  return `${installation.origin}/agents/${agent.id}`;
};

const open = async (page: Page, address: string): Promise<void> => {
  await page.goto(address);
  await page.locator('[data-testid=terminal][data-phase=live]').waitFor();
  await page.locator('[data-testid=terminal] .xterm-helper-textarea').focus();
};

const measureMemory = async (devtools: CDPSession, installation: Installation): Promise<Memory> => {
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const pid = Number(/^ *api .*pid (\d+)/m.exec(await installation.run('status'))?.[1]);
  return {
    pageBytes: metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0,
    serversBytes: await pssOfTreeBytes(pid, installation.dataDir),
  };
};

/** Frames the page painted in each whole second. */
const framesPerSecond = (page: Page, seconds: number): Promise<number[]> =>
  page.evaluate(
    (howMany) =>
      new Promise<number[]>((resolve) => {
        const counts: number[] = [];
        const startedAtMs = performance.now();
        const frame = (): void => {
          const second = Math.floor((performance.now() - startedAtMs) / 1_000);
          if (second >= howMany) return resolve(Array.from({ length: howMany }, (_, index) => counts[index] ?? 0));
          counts[second] = (counts[second] ?? 0) + 1;
          requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
      }),
    seconds,
  );

/** Milliseconds from the key to its echo in the painted rows: all of the flood before it is drawn by then. */
const interrupt = async (page: Page): Promise<number> => {
  const painted = await page.evaluateHandle(() => {
    const echoed = new Promise<number>((resolve) => {
      let pressedAtMs: number | null = null;
      addEventListener('keydown', () => (pressedAtMs ??= performance.now()), { capture: true, once: true });
      const look = (): void => {
        const text = document.querySelector('[data-testid=terminal] .xterm-rows')?.textContent ?? '';
        if (pressedAtMs !== null && text.includes('^C')) resolve(performance.now() - pressedAtMs);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    // In an object: a promise itself would be waited for here, before the key is pressed.
    return { echoed };
  });
  await page.keyboard.press('Control+c');
  return painted.evaluate(({ echoed }) => echoed);
};

const flood = async (page: Page): Promise<void> => {
  await page.keyboard.type('yes\n');
};

const measure = async (page: Page, installation: Installation): Promise<Figure[]> => {
  const address = await createShell(page, installation);
  await open(page, address);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  await flood(page);
  await sleep(WARM_UP_SECONDS * 1_000);
  const offset = async (): Promise<number> =>
    Number(await page.locator('[data-testid=terminal]').getAttribute('data-stream-offset'));
  const before = await measureMemory(devtools, installation);
  const fromBytes = await offset();
  const frames = await framesPerSecond(page, FLOOD_SECONDS);
  const megabytesPerSecond = ((await offset()) - fromBytes) / 1e6 / FLOOD_SECONDS;
  const after = await measureMemory(devtools, installation);
  const renderer = await page.locator('[data-testid=terminal]').getAttribute('data-renderer');
  await page.keyboard.press('Control+c');
  // Only what this renderer paints can be read from the page.
  await page.evaluate(() => localStorage.setItem('sac.terminal', JSON.stringify({ renderer: 'dom' })));
  await open(page, address);
  const times: number[] = [];
  while (times.length < INTERRUPTS) {
    await flood(page);
    await sleep(BETWEEN_INTERRUPTS_MS);
    times.push(await interrupt(page));
  }
  const conditions = `${FLOOD_SECONDS} s of \`yes\` in Chromium without a GPU, ${renderer} renderer, everything on the same machine`;
  return [
    {
      name: 'page during `yes`, worst second',
      value: Math.min(...frames),
      unit: 'frames/s',
      atLeast: 30,
      conditions: `${conditions}; median ${percentile(frames, 50)}; ${megabytesPerSecond.toFixed(1)} MB/s reached the screen`,
    },
    {
      name: 'page during `yes`, growth of its heap',
      value: (after.pageBytes - before.pageBytes) / MEBIBYTE,
      unit: 'MiB',
      digits: 1,
      atMost: 8,
      conditions: `after a garbage collection each; ${(before.pageBytes / MEBIBYTE).toFixed(0)} MiB after ${WARM_UP_SECONDS} s`,
    },
    {
      name: 'servers and sandbox during `yes`, growth',
      value: (after.serversBytes - before.serversBytes) / MEBIBYTE,
      unit: 'MiB PSS',
      digits: 1,
      atMost: 16,
      conditions: `sac, ws-proxy, PostgreSQL, sandbox; ${(before.serversBytes / MEBIBYTE).toFixed(0)} MiB after ${WARM_UP_SECONDS} s`,
    },
    {
      name: 'Ctrl+C during `yes` to its echo on the screen, worst',
      value: Math.max(...times),
      unit: 'ms',
      atMost: 200,
      conditions: `${times.length} times, DOM renderer, median ${percentile(times, 50).toFixed(0)} ms`,
    },
  ];
};

const installation = await createInstallation({ demo: false });
const browser = await chromium.launch(launchOptions);
try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  report(await measure(page, installation));
} finally {
  await browser.close();
  await installation.destroy();
}
