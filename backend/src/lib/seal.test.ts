import { createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { seal, sealKeyFromMaster, unseal } from './seal.ts';

const key = sealKeyFromMaster(createSecretKey(randomBytes(32)));
const place = ['agent-uid', 'provider-token'];

describe('seal', () => {
  it('opens what it sealed, in its own place', () => {
    expect(unseal([key], place, seal(key, place, 'sk-ü-日本'))).toBe('sk-ü-日本');
  });

  it('never seals the same text to the same bytes', () => {
    expect(seal(key, place, 'x').sealed.equals(seal(key, place, 'x').sealed)).toBe(false);
  });

  it.each([
    ['another agent', ['other-uid', 'provider-token']],
    ['another name', ['agent-uid', 'other']],
    ['the same letters cut elsewhere', ['agent-uidp', 'rovider-token']],
  ])('does not open for %s', (_name, other) => {
    expect(() => unseal([key], other, seal(key, place, 'secret'))).toThrow();
  });

  it('does not open when any byte changed', () => {
    const { keyId, sealed } = seal(key, place, 'secret');
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => unseal([key], place, { keyId, sealed: changed })).toThrow();
    }
  });

  it('does not open when cut, with a foreign key of the same id, or with an unknown key id', () => {
    const value = seal(key, place, 'secret');
    expect(() => unseal([key], place, { ...value, sealed: value.sealed.subarray(0, 20) })).toThrow(/shorter/);
    expect(() => unseal([sealKeyFromMaster(createSecretKey(randomBytes(32)))], place, value)).toThrow();
    expect(() => unseal([key], place, { ...value, keyId: 'gone' })).toThrow(/"gone"/);
  });

  it('refuses a short master secret', () => {
    expect(() => sealKeyFromMaster(createSecretKey(randomBytes(16)))).toThrow(/16 bytes/);
  });
});
