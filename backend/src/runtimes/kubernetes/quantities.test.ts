import { describe, expect, it } from 'vitest';
import { bytesInWords, checkResources, cpuMillis, memoryBytes } from './quantities.ts';

describe('amounts', () => {
  it.each([
    ['250m', 250],
    ['1', 1_000],
    ['1.5', 1_500],
    ['0.0001', 1],
    ['2k', 2_000_000],
    ['0.29', 290],
  ])('%s of CPU is %d thousandths', (text, millis) => expect(cpuMillis('cpu', text)).toBe(millis));

  it.each([
    ['512Mi', 512 * 2 ** 20],
    ['4Gi', 4 * 2 ** 30],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['4Ti', 4 * 2 ** 40],
    ['1M', 1_000_000],
    ['1e9', 1_000_000_000],
    ['123', 123],
  ])('%s of memory is %d bytes', (text, bytes) => expect(memoryBytes('memory', text)).toBe(bytes));

  it.each(['', '0', '-1', '1 Gi', '1gb', 'Gi', '1.Gi', '0x10', '1e', 'NaN', '9'.repeat(40), '1,5'])(
    'refuse %j',
    (text) => {
      expect(() => cpuMillis('The CPU request', text)).toThrow('The CPU request');
      expect(() => memoryBytes('The memory limit', text)).toThrow('The memory limit');
    },
  );

  it('take a small m behind memory for the slip it is', () => {
    expect(() => memoryBytes('The memory limit', '512m')).toThrow('Mi');
  });

  it('are told in words', () => {
    expect([512, 2 ** 20, 1.5 * 2 ** 40].map(bytesInWords)).toEqual(['512 bytes', '1 MiB', '1.5 TiB']);
  });
});

describe('resources', () => {
  it('may be left out', () => expect(() => checkResources({ requests: {}, limits: {} })).not.toThrow());

  it('compare amounts, not texts', () => {
    const equal = { requests: { cpu: '0.5', memory: '1Gi' }, limits: { cpu: '500m', memory: '1024Mi' } };
    expect(() => checkResources(equal)).not.toThrow();
    expect(() => checkResources({ requests: { cpu: '501m' }, limits: { cpu: '0.5' } })).toThrow('more than the limit');
    expect(() => checkResources({ requests: {}, limits: { memory: '10Mi' } })).toThrow('64Mi');
  });
});
