import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Keys, parseMasterKey, parseSigningKeys } from '../config/keys.ts';
import { explainFileError, MachineFault } from './fault.ts';
import { createPrivateFile } from './private-file.ts';

const newKey = (): string => randomBytes(48).toString('base64url');

const loadOrCreate = (path: string, create: () => string): string => {
  try {
    createPrivateFile(path, `${create()}\n`);
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw explainFileError(error, path);
  }
};

/** An unreadable key is never replaced: a new one would make what the old one sealed unreadable for ever. */
const parseFile = <T>(path: string, text: string, parse: (text: string) => T): T => {
  try {
    return parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MachineFault(`The key in ${path} ${reason}.`, 'Restore the file from a backup.', { cause: error });
  }
};

/**
 * The keys of this installation, made at the first start (files 0600). `dataExists` says that there is a database
 * already: then the master key must be there too, and a missing one is not replaced in silence.
 */
export const loadKeys = (secretsDir: string, dataExists: boolean): Keys => {
  const masterPath = join(secretsDir, 'master.key');
  if (dataExists && !existsSync(masterPath)) {
    throw new MachineFault(
      `${masterPath} is missing, and the database holds secrets that only this key can read.`,
      'Restore the file from a backup. Without one, every stored model token has to be entered again: then create it with "openssl rand -base64 48".',
    );
  }
  const accessPath = join(secretsDir, 'access-token.keys');
  const ticketPath = join(secretsDir, 'terminal-ticket.keys');
  const signing = (): string => `${randomBytes(4).toString('hex')}:${newKey()}`;
  return {
    master: parseFile(masterPath, loadOrCreate(masterPath, newKey), parseMasterKey),
    accessToken: parseFile(accessPath, loadOrCreate(accessPath, signing), parseSigningKeys),
    terminalTicket: parseFile(ticketPath, loadOrCreate(ticketPath, signing), parseSigningKeys),
  };
};
