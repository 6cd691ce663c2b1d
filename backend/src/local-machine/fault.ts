/** Something about this machine that a person has to put right; printed as it is, without a stack. */
export class MachineFault extends Error {
  constructor(what: string, remedy: string, options?: ErrorOptions) {
    super(`${what}\n${remedy}`, options);
    this.name = 'MachineFault';
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Turns the errors of file systems into what a person can do about them; everything else passes unchanged. */
export const explainFileError = (error: unknown, path: string): unknown => {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new MachineFault(
        `The disk that holds ${path} is full.`,
        'Free some space, or set SAC_DATA_DIR to a folder on another disk, and start again. Nothing was lost.',
        { cause: error },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new MachineFault(
        `${path} cannot be written (${codeOf(error)}).`,
        `Give this user the right to write there (chown -R "$(id -un)" ${path}), or set SAC_DATA_DIR to another folder.`,
        { cause: error },
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new MachineFault(
        `${path} is in the way: a file is where a folder is needed.`,
        'Move it away, or set SAC_DATA_DIR to another folder.',
        { cause: error },
      );
    default:
      return error;
  }
};
