/**
 * The published figures of one machine: start of `sac`, open agent to CLI prompt, idle memory, first page load.
 * Run `make bench`. Prints each figure with its bound and the conditions; exits 1 when a bound is broken.
 */
import { chromium, type Page } from '@playwright/test';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '@sac/contracts';
import { demoAgent, redeemAdminLink, type ApiUser } from '../e2e/support/api.ts';
import { launchOptions } from '../e2e/support/browser.ts';
import { expectState, person, signIn } from '../e2e/support/people.ts';
import { createInstallation, linkIn, type Installation } from '../e2e/support/sac.ts';
import { percentile, report, type Figure } from './figures.ts';
import { pssOfTreeBytes } from './memory.ts';

const START_RUNS = 5;
const OPEN_RUNS = 10;
const SETTLE_MS = 1_000;
const OPEN_TIMEOUT_MS = 180_000;
const sacBundle = fileURLToPath(new URL('../backend/dist/sac.js', import.meta.url));

async function waitFor(what: string, condition: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(25);
  }
}

const isLive = async (origin: string): Promise<boolean> => (await fetch(`${origin}/health/live`)).ok;

/** Milliseconds from process start to the first answer, with PostgreSQL's data there already. */
async function measureStart(installation: Installation): Promise<number[]> {
  const durations: number[] = [];
  for (let run = 0; run < START_RUNS; run++) {
    await installation.stop();
    const startedAt = performance.now();
    const child = spawn(process.execPath, [sacBundle, 'run'], {
      env: { ...process.env, SAC_DATA_DIR: installation.dataDir, SAC_PORT: new URL(installation.origin).port },
      stdio: 'ignore',
    });
    await waitFor('sac to listen', () => isLive(installation.origin));
    durations.push(performance.now() - startedAt);
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  return durations;
}

/**
 * Milliseconds from the click on an agent that is asleep to the CLI's prompt painted in the terminal, in a browser.
 * Leaves it asleep again.
 */
async function openToPrompt(page: Page, user: ApiUser, agent: Agent): Promise<number> {
  await page.goto(new URL('/agents/new', page.url()).href);
  const inRail = page.locator(`a[href="/agents/${agent.id}"]`).first();
  await inRail.waitFor();
  await page.waitForTimeout(SETTLE_MS); // the page has loaded what it loads ahead
  const startedAt = performance.now();
  await inRail.click();
  const prompt = page.locator('[data-testid=terminal] .xterm-rows', { hasText: '❯' });
  await prompt.waitFor({ state: 'visible', timeout: OPEN_TIMEOUT_MS });
  const durationMs = performance.now() - startedAt;
  await user.call('sleepAgent', { params: { agentId: agent.id }, body: {} });
  await expectState(page, 'asleep');
  return durationMs;
}

/** Bytes on the wire for the first load of the sign-in page, cache empty. */
async function firstLoadBytes(origin: string): Promise<number> {
  const browser = await chromium.launch(launchOptions);
  try {
    const page = await browser.newPage();
    const devtools = await page.context().newCDPSession(page);
    let totalBytes = 0;
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => (totalBytes += encodedDataLength));
    await devtools.send('Network.enable');
    await page.goto(`${origin}/sign-in`, { waitUntil: 'networkidle' });
    return totalBytes;
  } finally {
    await browser.close();
  }
}

async function openFigure(installation: Installation, link: string): Promise<Figure> {
  const user = await redeemAdminLink(link, 'bench');
  const agent = await user.call('createAgent', { body: await demoAgent(user, { name: 'bench' }) });
  const browser = await chromium.launch(launchOptions);
  try {
    const { page } = await person(browser);
    // What this renderer paints can be read from the page at once; the text for screen readers follows up to a second later.
    await page.addInitScript(() => localStorage.setItem('sac.terminal', JSON.stringify({ renderer: 'dom' })));
    await signIn(page, installation.origin, 'bench');
    await openToPrompt(page, user, agent); // installs the CLI, warms the page cache
    const durations: number[] = [];
    for (let run = 0; run < OPEN_RUNS; run++) durations.push(await openToPrompt(page, user, agent));
    return {
      name: 'open agent to CLI prompt on screen, p95',
      value: percentile(durations, 95),
      unit: 'ms',
      atMost: 2_500,
      conditions: `${OPEN_RUNS} times in Chromium, DOM renderer, asleep before, Claude Code installed; p50 ${percentile(durations, 50).toFixed(0)} ms`,
    };
  } finally {
    await browser.close();
  }
}

async function idleFigure(installation: Installation): Promise<Figure> {
  await installation.start();
  await sleep(10_000);
  const pid = Number(/^ *api .*pid (\d+)/m.exec(await installation.run('status'))?.[1]);
  const pssBytes = await pssOfTreeBytes(pid, installation.dataDir);
  await installation.stop();
  return {
    name: 'idle sac with PostgreSQL, no agents, PSS',
    value: pssBytes / 1e6,
    unit: 'MB',
    atMost: 300,
    conditions: '10 s after start; sac, ws-proxy and all PostgreSQL processes',
  };
}

const demo = await createInstallation({ demo: true });
const plain = await createInstallation({ demo: false });
try {
  const link = linkIn(await demo.start());
  const figures: Figure[] = [await openFigure(demo, link)];
  figures.push({
    name: 'first page load (sign-in)',
    value: (await firstLoadBytes(demo.origin)) / 1e3,
    unit: 'kB on the wire',
    atMost: 350,
    conditions: 'Chromium, empty cache',
  });
  await demo.stop();
  await plain.start();
  const starts = await measureStart(plain);
  figures.push({
    name: 'sac from process start to listening, warm, worst',
    value: Math.max(...starts),
    unit: 'ms',
    atMost: 3_000,
    conditions: `${START_RUNS} runs with PostgreSQL stopped before; p50 ${percentile(starts, 50).toFixed(0)} ms`,
  });
  figures.push(await idleFigure(plain));
  report(figures);
} finally {
  await demo.destroy();
  await plain.destroy();
}
