import { describe, expect, it } from 'vitest';
import { exactDuration, relativeTime, shortDuration } from './time.ts';

const t = (key: string, values: Record<string, number>) =>
  `${key.slice(5)}${values['n'] === undefined ? '' : ` ${values['n']}`}`;

describe('times', () => {
  it('shows the biggest unit', () => {
    expect([0, 59_999, 60_000, 3_600_000, 90_000_000].map((ms) => shortDuration(ms, t))).toEqual([
      'seconds 0',
      'seconds 59',
      'minutes 1',
      'hours 1',
      'days 1',
    ]);
    expect(shortDuration(-5_000, t)).toBe('seconds 0');
  });
  it('shows two units below an hour', () => {
    expect(exactDuration(192_000, t)).toBe('minutes 3 seconds 12');
    expect(exactDuration(180_000, t)).toBe('minutes 3');
  });
  it('counts back from now', () => {
    const now = Date.parse('2026-11-21T12:00:00Z');
    const at = (iso: string) => relativeTime(iso, now, t, 'en');
    expect(at('2026-11-21T11:59:30Z')).toBe('now');
    expect(at('2026-11-21T11:54:00Z')).toBe('minutesAgo 6');
    expect(at('2026-11-20T11:00:00Z')).toBe('yesterday');
    expect(at('2026-11-17T11:00:00Z')).toBe('daysAgo 4');
    expect(at('2026-01-02T11:00:00Z')).toBe('Jan 2, 2026');
  });
});
