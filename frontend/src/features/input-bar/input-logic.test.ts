import { PROMPT_MAX_BYTES, UPLOAD_MAX_BYTES, type Prompt } from '@sac/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { admitFiles, insertAt, pathInPrompt, uploadName } from './file-path.ts';
import { PromptHistory } from './prompt-history.ts';
import { isTransient, queueRows, type Outgoing } from './queue-model.ts';
import { textSize } from './text-size.ts';
import { UploadQueue } from './upload-queue.ts';

describe('prompt size', () => {
  it('counts bytes, not characters', () => {
    expect(textSize('é').bytes).toBe(2);
    expect(textSize('字'.repeat(21_845))).toMatchObject({ bytes: 65_535, near: true, over: false });
    expect(textSize('字'.repeat(21_846)).over).toBe(true);
    expect(textSize('a'.repeat(PROMPT_MAX_BYTES)).over).toBe(false);
    expect(textSize('a'.repeat(1000)).near).toBe(false);
  });
});

describe('prompt history', () => {
  beforeEach(() => localStorage.clear());
  it('walks back and forth and gives the text under way back', () => {
    const history = new PromptHistory(localStorage, 'h');
    history.add('one');
    history.add('two');
    expect(history.older('draft')).toBe('two');
    expect(history.older('two')).toBe('one');
    expect(history.older('one')).toBeNull();
    expect(history.newer()).toBe('two');
    expect(history.newer()).toBe('draft');
    expect(history.newer()).toBeNull();
  });
  it('brings back what was being written when another text was taken up', () => {
    const history = new PromptHistory(localStorage, 'h');
    history.add('one');
    expect(history.older('half a thought')).toBe('one');
    history.stop();
    expect(history.older('one, changed')).toBe('half a thought');
    history.add('one');
    expect(history.entries).toEqual(['half a thought', 'one, changed', 'one']);
    history.stop();
    expect(history.entries).toHaveLength(3);
  });
  it('is kept, bounded and without doubles', () => {
    const history = new PromptHistory(localStorage, 'h');
    for (let index = 0; index < 150; index += 1) history.add(`prompt ${index}`);
    history.add('prompt 149');
    history.add('prompt 100');
    history.add('   ');
    history.add('x'.repeat(10_000));
    const again = new PromptHistory(localStorage, 'h');
    expect(again.entries).toHaveLength(100);
    expect(again.entries.at(-1)).toBe('prompt 100');
    expect(new PromptHistory(localStorage, 'other').entries).toEqual([]);
  });
  it('survives rubbish in the storage', () => {
    localStorage.setItem('h', '{"no":1');
    expect(new PromptHistory(localStorage, 'h').entries).toEqual([]);
    localStorage.setItem('h', '[1,"a"]');
    expect(new PromptHistory(localStorage, 'h').entries).toEqual(['a']);
  });
});

const prompt = (id: string, state: Prompt['state'], clientRequestId = `c${id}`): Prompt => ({
  id,
  agentId: '1',
  clientRequestId,
  text: `text ${id}`,
  state,
  position: Number(id),
  reason: state === 'failed' ? 'why' : null,
  createdAt: '2026-11-21T12:00:00.000Z',
  settledAt: null,
});

describe('queue', () => {
  it('shows what is open, oldest first, and says what may be done with it', () => {
    const rows = queueRows(
      [
        prompt('10', 'queued'),
        prompt('9', 'delivering'),
        prompt('8', 'delivered'),
        prompt('7', 'unknown'),
        prompt('6', 'cancelled'),
      ],
      [],
    );
    expect(rows.map((row) => row.state)).toEqual(['unknown', 'delivering', 'queued']);
    expect(rows.map((row) => row.canRemove)).toEqual([true, false, true]);
    expect(rows.map((row) => row.canSendAgain)).toEqual([true, false, false]);
    expect(rows.map((row) => row.canEdit)).toEqual([true, false, true]);
    expect(rows.map((row) => row.canMove)).toEqual([false, false, true]);
  });
  it('never shows one prompt twice', () => {
    const outgoing: Outgoing = {
      clientRequestId: 'c1',
      text: 'text 1',
      state: 'sending',
      reason: null,
      requestId: null,
    };
    expect(queueRows([prompt('1', 'queued')], [outgoing])).toHaveLength(1);
    expect(queueRows([prompt('1', 'delivered')], [outgoing])).toHaveLength(0);
    expect(queueRows([], [outgoing])).toMatchObject([{ state: 'sending', canRemove: false }]);
  });
  it('holds back only what is on its way', () => {
    const [row] = queueRows([prompt('1', 'queued')], []);
    expect(row && isTransient(row, true)).toBe(true);
    expect(row && isTransient(row, false)).toBe(false);
  });
});

describe('files', () => {
  const now = new Date(2026, 10, 21, 14, 3, 22);
  it('names pasted images by time and keeps other names', () => {
    expect(uploadName({ name: 'image.png', type: 'image/png' }, true, now)).toBe('pasted-20261121-140322.png');
    expect(uploadName({ name: '', type: 'image/jpeg' }, true, now)).toBe('pasted-20261121-140322.jpg');
    expect(uploadName({ name: 'image.png', type: 'image/png' }, false, now)).toBe('image.png');
    expect(uploadName({ name: '../a\u0000b.txt', type: '' }, false, now)).toBe('.._a_b.txt');
    expect(uploadName({ name: `${'x'.repeat(300)}.tar`, type: '' }, false, now)).toHaveLength(200);
  });
  it('sets a path apart by spaces', () => {
    expect(insertAt('look at', 7, 7, 'a.png')).toEqual({ text: 'look at a.png ', caret: 14 });
    expect(insertAt('', 0, 0, 'a.png')).toEqual({ text: 'a.png ', caret: 6 });
    expect(insertAt('see  now', 4, 4, 'a.png').text).toBe('see a.png now');
    expect(pathInPrompt('a b.png')).toBe('"a b.png"');
  });
  it('refuses what is too big or too many', () => {
    const small = { size: 1 };
    expect(admitFiles([{ size: UPLOAD_MAX_BYTES + 1 }, small], 0)).toMatchObject({
      taken: [small],
      refused: [{ why: 'tooBig' }],
    });
    expect(admitFiles([small, small], 19).refused).toHaveLength(1);
  });
  it('waits until the agent runs, uploads one at a time and reports failures', async () => {
    const paths: string[] = [];
    const send = vi.fn((file: Blob, name: string) =>
      file.size === 0 ? Promise.reject(new Error('full')) : Promise.resolve({ path: `/workspace/uploads/${name}` }),
    );
    const queue = new UploadQueue({ send, explain: () => 'The disk is full.', onPath: (path) => paths.push(path) });
    queue.add([new File(['x'], 'a.txt'), new File([], 'b.txt')], false);
    expect(send).not.toHaveBeenCalled();
    queue.setOpen(true);
    await vi.waitFor(() =>
      expect(queue.uploads.value).toMatchObject([{ state: 'failed', reason: 'The disk is full.' }]),
    );
    expect(paths).toEqual(['/workspace/uploads/a.txt']);
    queue.remove(queue.uploads.value[0]?.key ?? 0);
    expect(queue.uploads.value).toEqual([]);
    queue.close();
  });
});
