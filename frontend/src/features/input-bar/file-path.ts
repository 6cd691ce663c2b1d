import { UPLOAD_MAX_BYTES } from '@sac/contracts';

export const MAX_FILES_AT_ONCE = 20;
const MAX_NAME_CHARACTERS = 200;

const two = (value: number): string => String(value).padStart(2, '0');

/** Images from the clipboard all carry the name `image.png`; the time tells them apart. */
export const uploadName = (file: { name: string; type: string }, fromClipboard: boolean, now: Date): string => {
  // eslint-disable-next-line no-control-regex -- control characters are what must go
  const cleaned = file.name.replaceAll(/[\u0000-\u001f\u007f/\\]/gu, '_').trim();
  const extension = /\.[A-Za-z0-9]{1,10}$/u.exec(cleaned)?.[0] ?? extensionOf(file.type);
  if (cleaned === '' || (fromClipboard && /^image\.[a-z]+$/iu.test(cleaned))) {
    const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
    return `pasted-${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}${extension}`;
  }
  if (cleaned.length <= MAX_NAME_CHARACTERS) return cleaned;
  return cleaned.slice(0, MAX_NAME_CHARACTERS - extension.length) + extension;
};

const extensionOf = (type: string): string => {
  const subtype = /^[a-z]+\/([a-z0-9]{1,10})$/u.exec(type)?.[1];
  return subtype ? `.${subtype === 'jpeg' ? 'jpg' : subtype}` : '';
};

/** How a path stands in a prompt: quoted when it has spaces. */
export const pathInPrompt = (path: string): string => (/\s/u.test(path) ? JSON.stringify(path) : path);

/** Text with `insertion` at the caret, set apart by spaces, and where the caret stands afterwards. */
export const insertAt = (
  text: string,
  start: number,
  end: number,
  insertion: string,
): { text: string; caret: number } => {
  const before = text.slice(0, start);
  const after = text.slice(end);
  const left = before === '' || /\s$/u.test(before) ? '' : ' ';
  const right = /^\s/u.test(after) ? '' : ' ';
  const caret = before.length + left.length + insertion.length + 1;
  return { text: before + left + insertion + right + after, caret };
};

export type Refusal = 'tooBig' | 'tooMany';

/** Which of the chosen files are taken, and why the others are not. */
export const admitFiles = <F extends { readonly size: number }>(
  files: readonly F[],
  alreadyThere: number,
): { taken: F[]; refused: { file: F; why: Refusal }[] } => {
  const taken: F[] = [];
  const refused: { file: F; why: Refusal }[] = [];
  for (const file of files) {
    if (file.size > UPLOAD_MAX_BYTES) refused.push({ file, why: 'tooBig' });
    else if (alreadyThere + taken.length >= MAX_FILES_AT_ONCE) refused.push({ file, why: 'tooMany' });
    else taken.push(file);
  }
  return { taken, refused };
};
