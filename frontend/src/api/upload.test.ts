import { afterEach, describe, expect, it, vi } from 'vitest';
import { credentials } from './client.ts';
import { uploadFile } from './upload.ts';

describe('an upload', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it('that is cancelled while it waits for a token is not sent', async () => {
    let giveToken: (token: string) => void = () => undefined;
    vi.spyOn(credentials, 'token').mockReturnValue(new Promise((resolve) => (giveToken = resolve)));
    const send = vi.spyOn(XMLHttpRequest.prototype, 'send').mockImplementation(() => undefined);
    const controller = new AbortController();
    const ended = uploadFile('7', new Blob(['x']), 'x.txt', { signal: controller.signal });
    controller.abort();
    giveToken('t');
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
    expect(send).not.toHaveBeenCalled();
  });
});
