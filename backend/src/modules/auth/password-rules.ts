import { PASSWORD_MAX_BYTES } from '@sac/contracts';
import { invalidField } from '../../lib/app-error.ts';

/** Throws AppError `invalid_request` for a password bcrypt would silently cut, or one that is the user's name. */
export const checkNewPassword = (
  password: string,
  path: string,
  names: readonly (string | null | undefined)[],
): void => {
  const sizeBytes = Buffer.byteLength(password, 'utf8');
  if (sizeBytes > PASSWORD_MAX_BYTES) {
    throw invalidField(
      path,
      `must be at most ${PASSWORD_MAX_BYTES} bytes long; this one has ${sizeBytes} (letters beyond ASCII count 2 to 4 bytes each).`,
    );
  }
  // bcrypt implementations disagree about NUL, some end the text there.
  if (password.includes('\0')) throw invalidField(path, 'must not contain the NUL character.');
  const lower = password.toLowerCase();
  if (names.some((name) => name?.toLowerCase() === lower))
    throw invalidField(path, 'must not be your user name or e-mail address.');
};

/** An offered password that could never have been set needs no hashing to be wrong. */
export const couldBePassword = (password: string): boolean =>
  Buffer.byteLength(password, 'utf8') <= PASSWORD_MAX_BYTES && !password.includes('\0');
