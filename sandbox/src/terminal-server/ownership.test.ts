import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bounds } from './constants.ts';
import { Ownership, type Candidate } from './ownership.ts';

const viewer = (userId: string, options: Partial<Candidate> = {}): Candidate => ({
  userId,
  mode: 'control',
  wantsOwnership: true,
  lastActiveMs: 0,
  ...options,
});

describe('ownership of the size', () => {
  let changes: (Candidate | null)[] = [];
  let ownership: Ownership<Candidate>;
  beforeEach(() => {
    vi.useFakeTimers();
    changes = [];
    ownership = new Ownership((owner) => changes.push(owner));
  });
  afterEach(() => {
    ownership.close();
    vi.useRealTimers();
  });

  it('goes to the first control viewer, never to a view-only one', () => {
    const [spectator, first, second] = [viewer('v', { mode: 'view' }), viewer('a'), viewer('b')];
    for (const one of [spectator, first, second]) ownership.join(one);
    expect(ownership.owner).toBe(first);
    expect(ownership.take(spectator)).toBe(false);
    expect(ownership.owner).toBe(first);
  });
  it('waits 30 s for the owner to come back', () => {
    const [first, second, back] = [viewer('a'), viewer('b'), viewer('a')];
    ownership.join(first);
    ownership.join(second);
    ownership.leave(first);
    vi.advanceTimersByTime(bounds.ownerGraceMs - 1);
    expect(ownership.owner).toBeNull();
    ownership.join(back);
    expect(ownership.owner).toBe(back);
    vi.advanceTimersByTime(bounds.ownerGraceMs);
    expect(ownership.owner).toBe(back);
  });
  it('is not taken in that time by another user, nor by the same user who does not want it', () => {
    const first = viewer('a');
    ownership.join(first);
    ownership.leave(first);
    ownership.join(viewer('b'));
    ownership.join(viewer('a', { wantsOwnership: false }));
    expect(ownership.owner).toBeNull();
  });
  it('then goes to the control viewer who was active last', () => {
    const [first, idle, active, spectator] = [
      viewer('a'),
      viewer('b', { lastActiveMs: 5 }),
      viewer('c', { lastActiveMs: 9 }),
      viewer('d', { mode: 'view', lastActiveMs: 99 }),
    ];
    for (const one of [first, idle, active, spectator]) ownership.join(one);
    ownership.leave(first);
    vi.advanceTimersByTime(bounds.ownerGraceMs);
    expect(ownership.owner).toBe(active);
  });
  it('goes to whoever comes when nobody was left', () => {
    const [first, late] = [viewer('a'), viewer('b')];
    ownership.join(first);
    ownership.leave(first);
    vi.advanceTimersByTime(bounds.ownerGraceMs);
    ownership.join(late);
    expect(ownership.owner).toBe(late);
  });
  it('is taken over at once', () => {
    const [first, second] = [viewer('a'), viewer('b')];
    ownership.join(first);
    ownership.join(second);
    expect(ownership.take(second)).toBe(true);
    expect(ownership.owner).toBe(second);
    ownership.leave(first);
    expect(changes).toEqual([first, second]);
  });
});
