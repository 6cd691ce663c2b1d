import { ApiError } from '../../api/api-error.ts';
import { RecordError } from './record-connection.ts';

/** What a person is told; everything else is described where all errors are. */
export const describeRecordError = (error: unknown, t: (key: string) => string): unknown =>
  error instanceof RecordError
    ? new ApiError({ code: 'unavailable', message: t(`recording.error.${error.failure}`), cause: error })
    : error;
