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
/** Output has stopped when the page got nothing for this long. */
const SILENCE_MS = 400;
const MEBIBYTE = 1024 ** 2;

interface Memory {
  readonly pageBytes: number;
  readonly serversBytes: number;
}

const openShell = async (page: Page, installation: Installation): Promise<void> => {
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
  await page.goto(`${installation.origin}/agents/${agent.id}`);
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

/** Milliseconds from the key to the last byte the page gets of the flood, before a silence. */
const interrupt = async (page: Page): Promise<number> => {
  const whenSilent = await page.evaluateHandle((silenceMs) => {
    const lastByte = new Promise<number>((resolve) => {
      const terminal = document.querySelector('[data-testid=terminal]');
      let pressedAtMs: number | null = null;
      let changedAtMs = 0;
      addEventListener('keydown', () => (pressedAtMs ??= performance.now()), { capture: true, once: true });
      const observer = new MutationObserver(() => (changedAtMs = performance.now()));
      if (terminal) observer.observe(terminal, { attributeFilter: ['data-stream-offset'] });
      const timer = setInterval(() => {
        if (pressedAtMs === null || performance.now() - Math.max(changedAtMs, pressedAtMs) < silenceMs) return;
        clearInterval(timer);
        observer.disconnect();
        resolve(Math.max(0, changedAtMs - pressedAtMs));
      }, 20);
    });
    // In an object: a promise itself would be waited for here, before the key is pressed.
    return { lastByte };
  }, SILENCE_MS);
  await page.keyboard.press('Control+c');
  return whenSilent.evaluate(({ lastByte }) => lastByte);
};

const flood = async (page: Page): Promise<void> => {
  await page.keyboard.type('yes\n');
};

const measure = async (page: Page, installation: Installation): Promise<Figure[]> => {
  await openShell(page, installation);
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
  const times: number[] = [await interrupt(page)];
  while (times.length < INTERRUPTS) {
    await flood(page);
    await sleep(700);
    times.push(await interrupt(page));
  }
  const renderer = await page.locator('[data-testid=terminal]').getAttribute('data-renderer');
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
      name: 'Ctrl+C during `yes` to the last byte of it in the page, worst',
      value: Math.max(...times),
      unit: 'ms',
      atMost: 200,
      conditions: `${times.length} times, median ${percentile(times, 50).toFixed(0)} ms`,
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
