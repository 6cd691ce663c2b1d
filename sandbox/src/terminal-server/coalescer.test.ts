import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Coalescer } from './coalescer.ts';

let flushed: number[] = [];
let coalescer: Coalescer;
beforeEach(() => {
  vi.useFakeTimers();
  flushed = [];
  coalescer = new Coalescer((bytes) => flushed.push(bytes.length));
});
afterEach(() => {
  vi.useRealTimers();
});
const read = (length: number): void => coalescer.push(Buffer.alloc(length));

it('waits 4 ms for more, from the first byte on', () => {
  read(100);
  vi.advanceTimersByTime(2);
  read(200);
  vi.advanceTimersByTime(1);
  expect(flushed).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(flushed).toEqual([300]);
});

it('sends full frames of 64 KiB at once', () => {
  read(140_000);
  expect(flushed).toEqual([65_536, 65_536]);
  vi.advanceTimersByTime(4);
  expect(flushed).toEqual([65_536, 65_536, 8_928]);
});

it('does not wait within 20 ms of input', () => {
  coalescer.noteInput();
  vi.advanceTimersByTime(20);
  read(10);
  vi.advanceTimersByTime(0);
  expect(flushed).toEqual([10]);
  vi.advanceTimersByTime(1);
  read(10);
  vi.advanceTimersByTime(3);
  expect(flushed).toEqual([10]);
});

it('sends what waits already when input comes', () => {
  read(10);
  coalescer.noteInput();
  vi.advanceTimersByTime(0);
  expect(flushed).toEqual([10]);
});
