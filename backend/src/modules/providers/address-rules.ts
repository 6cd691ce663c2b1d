import { BlockList, isIP } from 'node:net';
import { invalidField } from '../../lib/app-error.ts';

/**
 * Addresses no model provider has: link-local (cloud metadata services live there) and "this host" forms. On one machine
 * loopback and private ranges stay allowed: model servers on the own machine or network are common, and the agent
 * itself may reach them anyway. In a cluster the server stands where agents may not go; its configuration denies them.
 */
const refused = new BlockList();
refused.addSubnet('169.254.0.0', 16, 'ipv4');
refused.addSubnet('0.0.0.0', 8, 'ipv4');
refused.addSubnet('224.0.0.0', 3, 'ipv4');
// Alibaba Cloud's metadata service.
refused.addAddress('100.100.100.200', 'ipv4');
// Oracle's and Azure's.
refused.addAddress('192.0.0.192', 'ipv4');
refused.addAddress('168.63.129.16', 'ipv4');
refused.addSubnet('fe80::', 10, 'ipv6');
refused.addSubnet('ff00::', 8, 'ipv6');
refused.addAddress('::', 'ipv6');
refused.addAddress('fd00:ec2::254', 'ipv6');
// Google Cloud's metadata service.
refused.addAddress('fd20:ce::254', 'ipv6');
// The same IPv4 addresses through a NAT64 gateway, and in the forms of old that some systems still route.
refused.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
refused.addAddress('64:ff9b::6464:64c8', 'ipv6');
refused.addSubnet('64:ff9b:1::', 48, 'ipv6');
refused.addSubnet('2002:a9fe::', 32, 'ipv6');
refused.addSubnet('::a9fe:0', 112, 'ipv6');

/** True for addresses the server must not be sent to. `address` is a literal IP without brackets. */
export const isRefusedAddress = (address: string): boolean => {
  const family = isIP(address);
  if (family === 0) return true;
  // BlockList itself recognises IPv4-mapped IPv6 addresses.
  return refused.check(address, family === 4 ? 'ipv4' : 'ipv6');
};

/** Throws invalid_request when the host is a literal address that is refused. Names are checked when they are resolved. */
export const assertAllowedHost = (hostname: string, path: string): void => {
  const literal = hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && isRefusedAddress(literal)) {
    throw invalidField(path, `${literal} is a link-local, multicast or metadata address; no model provider is there.`);
  }
};

/** CIDR ranges. What is denied is reached all the same when it is allowed; what no model provider has is never reached. */
export interface OutboundRules {
  readonly deny: readonly string[];
  readonly allow: readonly string[];
}

/** Null for an address this server connects to; else whether no provider is there or this installation forbids it. */
export type AddressCheck = (address: string) => 'never' | 'denied' | null;

const blockListOf = (ranges: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  return list;
};

export const createAddressCheck = (rules: OutboundRules): AddressCheck => {
  const [denied, allowed] = [blockListOf(rules.deny), blockListOf(rules.allow)];
  return (address) => {
    if (isRefusedAddress(address)) return 'never';
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    return denied.check(address, family) && !allowed.check(address, family) ? 'denied' : null;
  };
};
