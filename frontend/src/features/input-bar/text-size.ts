import { PROMPT_MAX_BYTES } from '@sac/contracts';

const encoder = new TextEncoder();
export const utf8Bytes = (text: string): number => encoder.encode(text).byteLength;

/** From this share of the limit on a counter is shown. */
const NEAR = 0.9;

export interface TextSize {
  readonly bytes: number;
  readonly near: boolean;
  readonly over: boolean;
}

/** Size of a prompt against its limit, which counts bytes of UTF-8. */
export const textSize = (text: string): TextSize => {
  const bytes = utf8Bytes(text);
  return { bytes, near: bytes >= PROMPT_MAX_BYTES * NEAR, over: bytes > PROMPT_MAX_BYTES };
};
