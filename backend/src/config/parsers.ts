import { isIP } from 'node:net';
import { parseQuantity } from '@sac/contracts';
import { parseKey } from './keys.ts';

/** Each throws an Error whose message completes "<VARIABLE> …" and never holds the value of a secret. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const parseAddress = (value: string): Address => {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+):([0-9]{1,5})$/.exec(value);
  const host = match?.[1]?.replace(/^\[|\]$/g, '');
  const port = Number(match?.[2]);
  if (host === undefined || port > 65_535) throw new Error('must be host:port, for example 127.0.0.1:8082');
  return { host, port };
};

export const parsePort = (value: string): number => {
  const port = Number(value);
  if (port > 65_535) throw new Error('must be a port between 0 and 65535');
  return port;
};

export const list = (value: string): string[] =>
  value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

export const parseOrigin = (value: string): string => {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new Error('must hold http:// or https:// addresses separated by commas, for example https://sac.example.org');
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error('must hold addresses without a path: the site cannot live below one');
  }
  return url.origin;
};

export const parseRange = (value: string): string => {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
  if (family === 0 || !isPrefix || rest.length > 0) {
    throw new Error('must hold IP addresses or CIDR ranges separated by commas, for example 10.0.0.0/8');
  }
  return value;
};

export const parseTrustedProxy = (value: string): string => {
  if (Number(parseRange(value).split('/')[1] ?? '32') === 0) {
    throw new Error(
      'must not trust every address: visitors could then write any address they like into their requests',
    );
  }
  return value;
};

export const parseDatabaseUrl = (value: string): string => {
  if (!/^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? '')) throw new Error('must be a postgres:// address');
  return value;
};

export const parseCredentials = (value: string): string[] =>
  list(value).map((entry) => parseKey(entry).toString('utf8'));

export const parsePodIp = (value: string): string => {
  if (isIP(value) === 0) throw new Error('must be an IP address');
  return value;
};

/** Whoever counts for the cluster does so now and then, and counts folders too. */
const USABLE_SHARE = 0.9;

/** Bytes that may be used of a volume of that size. */
export const parseSize = (value: string): number => {
  const bytes = parseQuantity(value);
  if (bytes === null || bytes < 1) throw new Error('must be a size such as 512Mi or 2Gi');
  return Math.floor(bytes * USABLE_SHARE);
};
