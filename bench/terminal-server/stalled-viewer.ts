import type { Figure } from '../figures.ts';
import { EmulatorClient } from '../../sandbox/src/terminal-server/testing/emulator-client.ts';
import { TestClient } from '../../sandbox/src/terminal-server/testing/test-client.ts';
import { sleep } from '../terminal/statistics.ts';
import { TerminalClient } from '../terminal/terminal-client.ts';
import { direct } from '../terminal/parts.ts';
import { peakWhile } from './load-figures.ts';
import { size, TerminalServer } from './server.ts';
import { visibleText } from './visible-text.ts';
import { settings } from './settings.ts';

const MEBIBYTE = 1024 ** 2;
const WARM_UP_MS = 5_000;

/** One viewer stops reading a flood while another one takes all of it. */
export const stalledViewerFigures = async (): Promise<Figure[]> => {
  const server = await TerminalServer.start(
    'trap : INT; stty -echo; printf READY; while read -r line; do yes 0123456789; seq 1 100; done',
  );
  const frozen = server.connect('main', TestClient.helloOf({ wantsOwnership: false }, size.columns, size.rows));
  const screen = new EmulatorClient();
  screen.follow(frozen);
  const fast = new TerminalClient({
    route: direct.routeTo(server.farEnd),
    extension: true,
    onOutput: () => undefined,
  });
  try {
    await Promise.all([fast.opened, frozen.untilText('READY')]);
    frozen.freeze();
    fast.type('\n');
    await sleep(WARM_UP_MS);
    const beforeBytes = server.process.residentBytes;
    const outputBefore = fast.outputBytes;
    const peakBytes = await peakWhile(server, sleep(settings.stallSeconds * 1_000));
    const flooded = fast.outputBytes - outputBefore;
    fast.type('\x03');
    await sleep(1_000);
    const thawedAtMs = performance.now();
    frozen.thaw();
    const reference = server.connect('main', TestClient.helloOf({ wantsOwnership: false }, size.columns, size.rows));
    const expected = new EmulatorClient();
    expected.follow(reference);
    await reference.until(() => reference.sync !== null && visibleText(expected.emulator).includes('100'), 'reference');
    await frozen.until(() => visibleText(screen.emulator) === visibleText(expected.emulator), 'exact again');
    const exactMs = performance.now() - thawedAtMs;
    reference.cut();
    return [
      {
        name: 'terminal server for a viewer that never reads',
        value: (peakBytes - beforeBytes) / MEBIBYTE,
        unit: 'MiB more',
        digits: 1,
        atMost: 8,
        conditions: `${settings.stallSeconds} s of \`yes\`, ${(flooded / 1e6).toFixed(0)} MB taken by another viewer meanwhile`,
      },
      {
        name: 'that viewer exact again after it reads',
        value: exactMs,
        unit: 'ms',
        atMost: 1_000,
        conditions: 'screen equal to that of a viewer that came afterwards',
      },
    ];
  } finally {
    fast.close();
    frozen.cut();
    await server.end();
  }
};
