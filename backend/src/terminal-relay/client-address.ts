import { BlockList, isIP } from 'node:net';

const MAX_HOPS = 16;

/** `::ffff:10.0.0.1` is 10.0.0.1 arriving on a dual-stack socket. */
const plain = (address: string): string => address.trim().replace(/^::ffff:(?=\d+\.)/i, '');

export type ClientAddress = (peer: string, forwardedFor: string | undefined) => string;

/**
 * Address of the person: X-Forwarded-For is read from the right for as long as the hop that added the entry is a
 * trusted proxy (an address or CIDR range). Without trusted proxies the header means nothing.
 */
export const clientAddressBehind = (trustedProxies: readonly string[]): ClientAddress => {
  const trusted = new BlockList();
  for (const entry of trustedProxies) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    trusted.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (peer, forwardedFor) => {
    const hops = (forwardedFor ?? '').split(',').slice(-MAX_HOPS).map(plain);
    let address = plain(peer);
    while (isTrusted(address)) {
      const previous = hops.pop();
      if (previous === undefined || isIP(previous) === 0) break;
      address = previous;
    }
    return address;
  };
};
