import { describe, expect, it } from 'vitest';
import { clientAddressBehind } from './client-address.ts';
import { ConnectionCounts } from './connection-counts.ts';
import { EchoTimer } from './echo-timer.ts';
import { Histogram } from './histogram.ts';
import { MAX_FLOODING, ReadBuffer } from './read-buffer.ts';
import { ResponseHeadReader } from './response-head.ts';
import { SeenTickets } from './seen-tickets.ts';

describe('seen tickets', () => {
  it('knows a ticket for as long as it could be used, and no longer', () => {
    const seen = new SeenTickets(10);
    expect(seen.use('a', 1_000, 0)).toBe('fresh');
    expect(seen.use('a', 1_000, 999)).toBe('seen');
    expect(seen.use('b', 2_000, 1_000)).toBe('fresh');
    expect(seen.size).toBe(1);
  });

  it('refuses rather than forgets when it is full', () => {
    const seen = new SeenTickets(2);
    seen.use('a', 1_000, 0);
    seen.use('b', 1_000, 0);
    expect(seen.use('c', 1_000, 500)).toBe('full');
    expect(seen.use('a', 1_000, 500)).toBe('seen');
    expect(seen.use('c', 2_000, 1_000)).toBe('fresh');
  });
});

describe('connection counts', () => {
  it('gives a place back once', () => {
    const counts = new ConnectionCounts({ maxConnections: 2, maxConnectionsPerUser: 2, maxConnectionsPerAddress: 2 });
    const release = counts.acquire('u', 'a');
    counts.acquire('u', 'a');
    if (typeof release !== 'function') throw new Error('refused');
    release();
    release();
    expect(counts.total).toBe(1);
  });
});

describe('client address', () => {
  const behind = clientAddressBehind(['10.0.0.0/8', '::1']);
  it.each([
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.0.0.1', '198.51.100.1, 203.0.113.9, 10.2.3.4', '203.0.113.9'],
    ['::1', '2001:db8::1', '2001:db8::1'],
    ['10.0.0.1', 'nonsense', '10.0.0.1'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', Array(50).fill('10.0.0.2').join(','), '10.0.0.2'],
  ])('of %s with %s is %s', (peer, forwarded, expected) => {
    expect(behind(peer, forwarded)).toBe(expected);
  });
  it('ignores the header where no proxy is trusted', () => {
    expect(clientAddressBehind([])('192.0.2.1', '203.0.113.9')).toBe('192.0.2.1');
  });
});

describe('response head', () => {
  const head =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: abc=\r\nSec-WebSocket-Protocol: tty\r\n\r\n';
  it('is the same however it is cut', () => {
    const bytes = Buffer.from(`${head}rest`);
    for (let cut = 1; cut < head.length; cut += 1) {
      const reader = new ResponseHeadReader();
      expect(reader.push(bytes.subarray(0, cut)).kind).toBe('incomplete');
      expect(reader.push(bytes.subarray(cut))).toEqual({ kind: 'switched', response: head, rest: Buffer.from('rest') });
    }
  });
  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', { kind: 'refused', status: 200 }],
    ['HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n', { kind: 'malformed' }],
    ['HTTP/2 101 x\r\n\r\n', { kind: 'malformed' }],
    ['\r\n\r\n', { kind: 'malformed' }],
  ])('%j is %j', (text, expected) => {
    expect(new ResponseHeadReader().push(Buffer.from(text))).toEqual(expected);
  });
});

describe('echo as the relay sees it', () => {
  const observed = (...steps: (readonly ['in' | 'out', number])[]): string[] => {
    const times = new Histogram();
    const timer = new EchoTimer(times);
    let lastByteAtMs = 0;
    for (const [direction, atMs] of steps) {
      if (direction === 'in') timer.input(atMs, lastByteAtMs);
      else timer.output(atMs);
      lastByteAtMs = atMs;
    }
    return times.lines('t');
  };
  it('is the time from a key into silence to the next output', () => {
    const lines = observed(['in', 100], ['out', 104], ['out', 105]);
    expect(lines).toContain('t_count 1');
    expect(lines).toContain('t_sum 0.004');
    expect(lines).toContain('t_bucket{le="0.002"} 0');
    expect(lines).toContain('t_bucket{le="0.005"} 1');
    expect(lines).toContain('t_bucket{le="+Inf"} 1');
  });
  it.each<[string, Parameters<typeof observed>]>([
    [
      'input that follows other bytes',
      [
        ['out', 100],
        ['in', 120],
        ['out', 121],
      ],
    ],
    [
      'output that comes too late to be an answer',
      [
        ['in', 100],
        ['out', 1_200],
      ],
    ],
    [
      'output without input',
      [
        ['out', 100],
        ['out', 200],
      ],
    ],
  ])('is not %s', (_name, steps) => {
    expect(observed(...steps)).toContain('t_count 0');
  });
});

describe('read buffer', () => {
  it('is large while a connection floods, and no other connection has the same one', () => {
    const [one, other] = [new ReadBuffer(), new ReadBuffer()];
    const quiet = one.current;
    one.adapt(true);
    other.adapt(true);
    expect(one.current.length).toBeGreaterThan(quiet.length);
    expect(one.current.buffer).not.toBe(other.current.buffer);
    const large = one.current;
    one.adapt(true);
    expect(one.current).toBe(large);
    one.adapt(false);
    expect(one.current).toBe(quiet);
    const next = new ReadBuffer();
    next.adapt(true);
    expect(next.current).toBe(large);
    for (const buffer of [other, next]) buffer.adapt(false);
  });

  it('is large for so many at a time, and for another one when one of them has ended', () => {
    const all = Array.from({ length: MAX_FLOODING + 1 }, () => new ReadBuffer());
    for (const buffer of all) buffer.adapt(true);
    const [first, last] = [all[0], all.at(-1)];
    expect(last?.current.length).toBe(new ReadBuffer().current.length);
    first?.adapt(false);
    last?.adapt(true);
    expect(last?.current.length).toBeGreaterThan(new ReadBuffer().current.length);
    for (const buffer of all) buffer.adapt(false);
    for (const buffer of all) buffer.adapt(false); // says nothing twice
    first?.adapt(true);
    expect(first?.current.length).toBeGreaterThan(new ReadBuffer().current.length);
    first?.adapt(false);
  });
});
