import { describe, expect, it } from 'vitest';
import { bounds } from './constants.ts';
import { Tail } from './tail.ts';
import { randomOf } from './testing/random.ts';

const size = (columns: number) => ({ columns, rows: 10 });
const read = (tail: Tail, from: number, to: number): Buffer => {
  const target = Buffer.alloc(to - from);
  tail.copy(from, to, target, 0);
  return target;
};

describe('tail', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  it(`holds the last bytes exactly, at any chunk sizes (seed ${seed})`, () => {
    const random = randomOf(seed);
    const tail = new Tail(1_000, size(80));
    let all = Buffer.alloc(0);
    for (let round = 0; round < 300; round++) {
      const chunk = Buffer.from(
        Array.from({ length: Math.floor(random() * (round % 50 === 0 ? 2_500 : 200)) }, () =>
          Math.floor(random() * 256),
        ),
      );
      tail.append(chunk);
      all = Buffer.concat([all, chunk]);
      expect(tail.end).toBe(all.length);
      expect(tail.start).toBe(Math.max(0, all.length - 1_000));
      const from = tail.start + Math.floor(random() * (tail.end - tail.start + 1));
      expect(read(tail, from, tail.end), `seed ${seed}, round ${round}`).toEqual(all.subarray(from));
    }
  });
  it('knows the size in force at every offset it holds', () => {
    const tail = new Tail(100, size(80));
    tail.append(Buffer.alloc(10));
    tail.resize(size(90));
    tail.resize(size(95));
    tail.append(Buffer.alloc(10));
    tail.resize(size(70));
    expect([0, 9, 10, 19, 20].map((offset) => tail.sizeAt(offset).size.columns)).toEqual([80, 80, 95, 95, 70]);
    expect(tail.sizeAt(9).nextSequence).toBe(0);
    expect(tail.eventFrom(0)).toMatchObject({ offset: 10, size: size(90) });
    expect(tail.eventFrom(2)).toMatchObject({ offset: 20, size: size(70) });
    expect(tail.eventFrom(3)).toBeUndefined();
    tail.append(Buffer.alloc(95));
    expect(tail.start).toBe(15);
    expect(tail.sizeAt(15)).toMatchObject({ size: size(95) });
    expect(tail.eventFrom(0)).toMatchObject({ offset: 20 });
  });
  it('bounds the size changes it keeps, and gives up the bytes before them', () => {
    const tail = new Tail(1_000_000, size(80));
    for (let index = 0; index < bounds.sizeEvents + 100; index++) {
      tail.append(Buffer.alloc(1));
      tail.resize(size(1 + (index % 500)));
    }
    expect(tail.start).toBeGreaterThan(90);
    expect(tail.sizeAt(tail.end).size).toEqual(size(1 + ((bounds.sizeEvents + 99) % 500)));
    const still = new Tail(1_000, size(80));
    for (let index = 0; index < bounds.sizeEvents + 100; index++) still.resize(size(1 + (index % 500)));
    expect(still.eventFrom(0)?.sequence).toBe(100);
  });
  it('gives its memory back', () => {
    const tail = new Tail(100, size(80));
    tail.append(Buffer.alloc(50));
    tail.resize(size(90));
    tail.release();
    expect([tail.start, tail.end]).toEqual([50, 50]);
    expect(tail.sizeAt(50).size).toEqual(size(90));
  });
});
