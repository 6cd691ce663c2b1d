import { writeSync } from 'node:fs';
import { pino, type DestinationStream, type Logger } from 'pino';

/** Paths that hold secrets wherever an object of ours carries them; `*` is one level. */
const secretNames = [
  'authorization',
  'cookie',
  'password',
  'currentPassword',
  'newPassword',
  'secret',
  'token',
  'accessToken',
  'refreshSecret',
  'providerToken',
  'terminalKey',
  'internalCredential',
  '["set-cookie"]',
  '["x-sac-refresh-secret"]',
  '["x-api-key"]',
];
const below = (prefix: string): string[] =>
  secretNames.map((name) => (name.startsWith('[') ? `${prefix}${name}` : `${prefix}.${name}`));
const redactedPaths = [
  ...secretNames.map((name) => (name.startsWith('[') ? name : name)),
  ...below('*'),
  ...below('*.*'),
  ...below('req.headers'),
  ...below('res.headers'),
];

const secretParameter = /([?&#](?:token|secret|key|ticket|code)=)[^&#\s"]*/gi;

/** URLs carry tickets in their query; logs keep the path and lose the secret. */
export const redactUrl = (url: string): string => url.replace(secretParameter, '$1[redacted]');

/** Errors of libraries quote what they were given: connection strings, header lines, URLs. */
const redactText = (text: string): string =>
  redactUrl(text)
    .replace(/(\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]+/gi, '$1[redacted]')
    .replace(/(\w+:\/\/[^:/\s]+:)[^@\s]+@/g, '$1[redacted]@');

const MAX_CAUSES = 4;

const serializeError = (err: unknown, depth = 0): unknown => {
  if (!(err instanceof Error)) return typeof err === 'string' ? redactText(err) : err;
  const { code, syscall } = err as NodeJS.ErrnoException;
  // Chosen fields only: errors of libraries carry requests, queries and their parameters.
  return {
    type: err.name,
    message: redactText(err.message),
    stack: redactText(err.stack ?? ''),
    ...(code === undefined ? {} : { code }),
    ...(syscall === undefined ? {} : { syscall }),
    ...('constraint' in err ? { constraint: err.constraint } : {}),
    ...(err.cause !== undefined && depth < MAX_CAUSES ? { cause: serializeError(err.cause, depth + 1) } : {}),
  };
};

/**
 * The log goes to a descriptor, line by line and at once. A line that cannot be written, as on a full disk, is lost, and
 * what logs it goes on: pino's own writer would throw into whoever logs and end the process.
 */
export const logDestination = (fd: number): DestinationStream => {
  let torn = false;
  return {
    write: (line) => {
      const text = torn ? `\n${line}` : line;
      try {
        torn = writeSync(fd, text) < Buffer.byteLength(text);
      } catch {
        torn = true; // a part of it may have been written
      }
    },
  };
};

/** JSON lines with secrets masked; every process of the product logs through this. */
export const createLogger = (
  options: { readonly level: string; readonly name?: string },
  destination: DestinationStream = logDestination(process.stdout.fd),
): Logger => {
  const settings = {
    level: options.level,
    base: options.name === undefined ? {} : { name: options.name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redactedPaths, censor: '[redacted]' },
    serializers: { err: (err: unknown) => serializeError(err) },
  };
  return pino(settings, destination);
};
