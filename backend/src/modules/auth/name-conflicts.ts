import { isUniqueViolation } from '../../db/errors.ts';
import { AppError } from '../../lib/app-error.ts';

const nameTaken = (err: unknown): AppError | null => {
  if (isUniqueViolation(err, 'users_username_key')) {
    const fields = [{ path: '/username', message: 'is taken' }];
    return new AppError('name_taken', 'This user name is taken. Choose another one.', { fields });
  }
  if (isUniqueViolation(err, 'users_email_key')) {
    const fields = [{ path: '/email', message: 'belongs to another account' }];
    return new AppError('name_taken', 'This e-mail address belongs to another account.', { fields });
  }
  return null;
};

/** Turns a refused user name or address into AppError `name_taken`. The constraints decide, so two at once cannot both win. */
export const withNameConflicts = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (err) {
    throw nameTaken(err) ?? err;
  }
};
