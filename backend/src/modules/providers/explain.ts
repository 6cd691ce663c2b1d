import { AddressRefused, proxyFor } from './safe-fetch.ts';
import type { ProbeTarget } from './probe.ts';

const certificateProblems: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet; check the clock of this server',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN:
    'is signed by an authority that this server does not know (self-signed certificate in the chain)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'cannot be verified: an intermediate certificate is missing or its authority is unknown',
  UNABLE_TO_GET_ISSUER_CERT: 'is signed by an authority that this server does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is signed by an authority that this server does not know',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another host name',
  CERT_REVOKED: 'was revoked',
};

const codesOf = (error: unknown): string[] => {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value) || seen.size > 20) return;
    seen.add(value);
    if ('code' in value && typeof value.code === 'string') codes.push(value.code);
    if ('cause' in value) visit(value.cause);
    if (value instanceof AggregateError) value.errors.forEach(visit);
  };
  visit(error);
  return codes;
};

const findRefused = (error: unknown): AddressRefused | null => {
  for (let current = error, depth = 0; current instanceof Error && depth < 10; current = current.cause, depth += 1) {
    if (current instanceof AddressRefused) return current;
  }
  return null;
};

const isTimeout = (error: unknown, codes: readonly string[]): boolean =>
  (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) ||
  codes.some((code) =>
    [
      'ETIMEDOUT',
      'UND_ERR_CONNECT_TIMEOUT',
      'UND_ERR_HEADERS_TIMEOUT',
      'UND_ERR_BODY_TIMEOUT',
      'UND_ERR_ABORTED',
    ].includes(code),
  );

const hasCode = (codes: readonly string[], ...wanted: readonly string[]): boolean =>
  codes.some((code) => wanted.includes(code));

/** What went wrong on the way to a provider, and what to do, in one or two sentences. */
export const explainFailure = (
  error: unknown,
  target: Pick<ProbeTarget, 'baseUrl' | 'proxy'>,
  deadlineMs: number,
): string => {
  const url = new URL(target.baseUrl);
  const proxy = proxyFor(url, target.proxy);
  const proxyHost = proxy === null ? null : (URL.parse(proxy)?.host ?? proxy);
  const peer = proxyHost === null ? url.host : `the proxy ${proxyHost}`;
  const refused = findRefused(error);
  const codes = codesOf(error);
  if (refused?.isDenied === true)
    return `${refused.message} the network of this installation, where its connection test does not go. An administrator can allow the address (SAC_OUTBOUND_ALLOW).`;
  if (refused) return `${refused.message}, a link-local, multicast or metadata address; no model provider is there.`;
  const certificate = codes.map((code) => certificateProblems[code]).find((text) => text !== undefined);
  if (certificate !== undefined) return `The TLS certificate of ${url.host} ${certificate}.`;
  if (hasCode(codes, 'ENOTFOUND'))
    return `The name of ${peer} does not exist (DNS). Check the spelling of the address.`;
  if (hasCode(codes, 'EAI_AGAIN', 'ESERVFAIL'))
    return `The name of ${peer} could not be resolved (DNS). Does this server have a network connection and a name server?`;
  if (hasCode(codes, 'ECONNREFUSED'))
    return `${peer} refuses the connection. Is the port right and the service running?`;
  if (hasCode(codes, 'EHOSTUNREACH', 'ENETUNREACH'))
    return `There is no way to ${peer} from this server. Does it need a proxy?`;
  if (isTimeout(error, codes))
    return `${peer} did not answer within ${Math.round(deadlineMs / 1000)} seconds. Is the address right, and does this server need a proxy to reach it?`;
  if (codes.some((code) => code.startsWith('ERR_SSL_') || code === 'EPROTO')) {
    return `${url.host} does not speak TLS on this port. Should the address begin with http:// instead of https://, or have another port?`;
  }
  if (hasCode(codes, 'ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE') || codes.some((code) => code.startsWith('HPE_'))) {
    return `${peer} closed the connection without a proper answer. Is this the address of an HTTP service, and is http:// or https:// right?`;
  }
  if (proxy !== null) return `The proxy ${proxyHost ?? ''} could not connect to ${url.host}. Check the proxy settings.`;
  return `The connection to ${url.host} failed${codes[0] === undefined ? '' : ` (${codes[0]})`}.`;
};
