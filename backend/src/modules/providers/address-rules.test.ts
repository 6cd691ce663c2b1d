import { describe, expect, it } from 'vitest';
import { assertAllowedHost, isRefusedAddress } from './address-rules.ts';

describe('address rules', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    '64:ff9b::169.254.169.254',
    '64:ff9b::6464:64c8',
    '2002:a9fe:a9fe::1',
    '::169.254.169.254',
    'fe80::1',
    'fd00:ec2::254',
    '::',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'not-an-address',
  ])('refuses %s', (address) => expect(isRefusedAddress(address)).toBe(true));

  it.each(['127.0.0.1', '10.1.2.3', '192.168.1.1', '1.1.1.1', '::1', 'fd00::1', '2606:4700::1111', '::ffff:10.0.0.1'])(
    'allows %s',
    (address) => expect(isRefusedAddress(address)).toBe(false),
  );

  it('reads addresses in all the forms a URL takes', () => {
    for (const host of ['0xa9fea9fe', '2852039166', '169.254.43518', '[::ffff:169.254.169.254]', '[fe80::1]']) {
      expect(() => assertAllowedHost(new URL(`http://${host}/`).hostname, '/baseUrl')).toThrow(/no model provider/);
    }
    expect(() => assertAllowedHost('api.example.org', '/baseUrl')).not.toThrow();
  });
});
