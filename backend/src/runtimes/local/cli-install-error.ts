import type { AgentFailure } from '@sac/contracts';

/** A CLI could not be installed; `failure` is what a person is told. */
export class CliInstallError extends Error {
  readonly failure: AgentFailure;

  constructor(failure: AgentFailure, options?: ErrorOptions) {
    super(failure.reason, options);
    this.name = 'CliInstallError';
    this.failure = failure;
  }
}

const UNREACHABLE =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|socket hang up|network/i;
const CERTIFICATE = /CERT_|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|certificate/i;
const MAX_OUTPUT_CHARACTERS = 8_192;

/** Reads from npm's output why an installation failed. */
export const installFailure = (title: string, problem: string, output: string): AgentFailure => {
  const base = { code: 'cli_install_failed', output: output === '' ? null : output.slice(-MAX_OUTPUT_CHARACTERS) };
  const text = `${problem}\n${output}`;
  if (/ENOSPC|no space left/i.test(text)) {
    return {
      ...base,
      code: 'storage_full',
      reason: `The disk is full: ${title} could not be installed.`,
      fix: 'Free about 1 GB in the data directory, then start the agent again.',
    };
  }
  if (/\bE404\b|ETARGET|notarget/i.test(text)) {
    return {
      ...base,
      reason: `The package registry does not have the version of ${title} that this server needs.`,
      fix: 'Point npm to a registry that mirrors the public one (npm config set registry), then start the agent again.',
    };
  }
  if (CERTIFICATE.test(text)) {
    return {
      ...base,
      reason: `The certificate of the package registry is not trusted: ${title} could not be installed.`,
      fix: 'Give npm your certificate authority (npm config set cafile), then start the agent again.',
    };
  }
  if (UNREACHABLE.test(text)) {
    return {
      ...base,
      reason: `The package registry cannot be reached: ${title} could not be installed.`,
      fix: 'Check the network, proxy and registry settings of npm on the server, then start the agent again.',
    };
  }
  if (/EACCES|EPERM/.test(text)) {
    return {
      ...base,
      reason: `The server may not write to its data directory: ${title} could not be installed.`,
      fix: 'Make the data directory belong to the user that runs the server.',
    };
  }
  return {
    ...base,
    reason: `${title} could not be installed: ${problem}`,
    fix: 'The output says why; start the agent again when that is mended.',
  };
};
