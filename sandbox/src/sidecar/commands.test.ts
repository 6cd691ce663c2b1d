import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import type { CommandResult } from '@sac/contracts';
import { CommandRunner, type CommandParts } from './commands.ts';

it('lets go of an upload that the terminal server refused', async () => {
  const content = new Readable({ read: () => undefined });
  const results: CommandResult[] = [];
  const settled = Promise.withResolvers<void>();
  const parts = {
    gateway: {
      openUpload: () => Promise.resolve(content as IncomingMessage),
      sendResult: (_id: string, result: CommandResult) => {
        results.push(result);
        settled.resolve();
        return Promise.resolve();
      },
    },
    control: { putFile: () => Promise.reject(new Error('the disk of the sandbox is full')) },
    log: () => undefined,
  } as unknown as CommandParts;
  const runner = new CommandRunner(parts, new AbortController().signal);
  runner.handle({ id: '1', issuedAt: '', kind: 'writeFile', uploadId: 'u', name: 'a', sizeBytes: 5 });
  await settled.promise;
  expect(results).toEqual([{ outcome: 'failed', reason: 'the disk of the sandbox is full' }]);
  expect(content.destroyed).toBe(true);
});
