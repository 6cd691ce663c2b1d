import { existsSync } from 'node:fs';

const systemChromium = '/usr/bin/chromium';

/** The system's Chromium where there is one, else the browser that Playwright brought. */
export const launchOptions = {
  ...(existsSync(systemChromium) ? { executablePath: systemChromium } : {}),
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};
