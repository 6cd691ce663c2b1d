import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson, internalCredential, keyedDigest, terminalKey, verifyInternalCredential } from './agent-keys.ts';

const master = createSecretKey(randomBytes(32));
const uid = randomUUID();

describe('internal credential', () => {
  it('is recognised and names agent and generation', () => {
    expect(verifyInternalCredential(master, internalCredential(master, uid, 7))).toEqual({
      agentUid: uid,
      generation: 7,
    });
  });

  it.each([
    ['another generation', internalCredential(master, uid, 7).replace('.7.', '.8.')],
    ['another agent', internalCredential(master, uid, 7).replace(uid, randomUUID())],
    ['another server', internalCredential(createSecretKey(randomBytes(32)), uid, 7)],
    ['the terminal key instead of the mac', `${uid}.7.${terminalKey(master, uid, 7)}`],
    ['nothing', ''],
    ['a long string', 'x'.repeat(100_000)],
    ['a fraction', `${uid}.7.5.${'a'.repeat(43)}`],
    ['a negative generation', `${uid}.-1.${'a'.repeat(43)}`],
  ])('refuses %s', (_name, credential) => {
    expect(verifyInternalCredential(master, credential)).toBeNull();
  });
});

describe('terminal key', () => {
  it('differs by agent and generation', () => {
    const keys = [terminalKey(master, uid, 1), terminalKey(master, uid, 2), terminalKey(master, randomUUID(), 1)];
    expect(new Set(keys).size).toBe(3);
  });
});

describe('keyed digest', () => {
  it('does not depend on the order of keys, and on everything else', () => {
    expect(keyedDigest(master, 'spec', { a: 1, b: { c: [1, 2], d: null } })).toBe(
      keyedDigest(master, 'spec', { b: { d: null, c: [1, 2] }, a: 1 }),
    );
    expect(keyedDigest(master, 'spec', { a: [1, 2] })).not.toBe(keyedDigest(master, 'spec', { a: [2, 1] }));
    expect(keyedDigest(createSecretKey(randomBytes(32)), 'spec', {})).not.toBe(keyedDigest(master, 'spec', {}));
    expect(canonicalJson({ b: 1, a: undefined })).toBe('{"b":1}');
  });
});
