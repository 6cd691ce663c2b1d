import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { ProxySettings } from '@sac/contracts';
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import type { AddressCheck } from './address-rules.ts';

/** An answer, read to the end or to the limit. */
export interface BoundedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | null;
  readonly text: string;
  readonly truncated: boolean;
}

export interface SafeRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly proxy: ProxySettings;
  readonly signal: AbortSignal;
  readonly check: AddressCheck;
}

/** The name points at an address that is refused. */
export class AddressRefused extends Error {
  /** True: this installation forbids it; then the message names no address, which would tell what there is inside. */
  readonly isDenied: boolean;

  constructor(hostname: string, address: string, isDenied: boolean) {
    super(isDenied ? `${hostname} is inside` : `${hostname} points to ${address}`);
    this.name = 'AddressRefused';
    this.isDenied = isDenied;
  }
}

export const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Resolves once; the connection goes to exactly the addresses that were checked, so a name that changes
 * between check and use gains nothing.
 */
type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export const createCheckedLookup =
  (lookup: LookupAll, check: AddressCheck): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, '', 0);
        return;
      }
      const bad = addresses.find(({ address }) => check(address) !== null);
      const [first] = addresses;
      if (bad) callback(new AddressRefused(hostname, bad.address, check(bad.address) === 'denied'), '', 0);
      else if (!first) callback(new AddressRefused(hostname, 'nothing', false), '', 0);
      else if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };

const matchesNoProxy = (hostname: string, noProxy: string | null): boolean =>
  (noProxy ?? '')
    .split(',')
    .map((entry) =>
      entry
        .trim()
        .toLowerCase()
        .replace(/^\*?\./, ''),
    )
    .some((entry) => entry === '*' || (entry !== '' && (hostname === entry || hostname.endsWith(`.${entry}`))));

/** The proxy a CLI would use for this address, by the usual meaning of the variables. */
export const proxyFor = (url: URL, proxy: ProxySettings): string | null => {
  if (matchesNoProxy(url.hostname.toLowerCase(), proxy.noProxy)) return null;
  return url.protocol === 'https:' ? proxy.httpsProxy : proxy.httpProxy;
};

const dispatcherFor = (url: URL, { proxy, check }: Pick<SafeRequest, 'proxy' | 'check'>): Dispatcher => {
  const connect = { lookup: createCheckedLookup(systemLookup, check), timeout: 10_000 };
  const uri = proxyFor(url, proxy);
  return uri === null ? new Agent({ connect }) : new ProxyAgent({ uri, connect, proxyTls: connect });
};

const assertAllowedLiteral = (url: URL, check: AddressCheck): void => {
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const verdict = isIP(literal) === 0 ? null : check(literal);
  if (verdict !== null) throw new AddressRefused(url.hostname, literal, verdict === 'denied');
};

const readBounded = async (body: AsyncIterable<Buffer>): Promise<{ text: string; truncated: boolean }> => {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_ANSWER_BYTES)
      return { text: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8'), truncated: true };
  }
  return { text: Buffer.concat(chunks).toString('utf8'), truncated: false };
};

const headerText = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? (value[0] ?? '') : (value ?? '');

/** One request to an address a person chose: bounded, without redirects, to checked addresses only. */
export const safeFetch = async (options: SafeRequest): Promise<BoundedAnswer> => {
  assertAllowedLiteral(options.url, options.check);
  const proxyUri = proxyFor(options.url, options.proxy);
  // No name is looked up for a literal, so the check at the connection does not see it.
  if (proxyUri !== null) assertAllowedLiteral(new URL(proxyUri), options.check);
  const dispatcher = dispatcherFor(options.url, options);
  try {
    const answer = await request(options.url, {
      method: options.method,
      headers: { accept: 'application/json', 'user-agent': 'sac-connection-test', ...options.headers },
      ...(options.body !== undefined && { body: options.body }),
      dispatcher,
      signal: options.signal,
    });
    const { text, truncated } = await readBounded(answer.body);
    return {
      status: answer.statusCode,
      contentType: headerText(answer.headers['content-type']).toLowerCase(),
      location: headerText(answer.headers.location) || null,
      text,
      truncated,
    };
  } finally {
    await dispatcher.destroy();
  }
};
