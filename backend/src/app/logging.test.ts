import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLogger, logDestination } from './logging.ts';

describe('a log that cannot be written', () => {
  it('does not keep whoever logs from going on', () => {
    const full = openSync('/dev/full', 'w');
    const logger = createLogger({ level: 'info' }, logDestination(full));
    expect(() => {
      for (let index = 0; index < 5_000; index += 1) logger.info({ index }, 'x'.repeat(100));
    }).not.toThrow();
    closeSync(full);
  });
});
