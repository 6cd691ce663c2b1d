import { routes, type ResponseOf, type Routes } from '@sac/contracts';
import { ApiError, errorOfFailure, errorOfResponse } from './api-error.ts';
import { urlOf, withToken } from './client.ts';

export interface UploadOptions {
  readonly signal?: AbortSignal;
  /** Called with bytes sent so far and in all. */
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
}

export type UploadedFile = ResponseOf<Routes['uploadFile']>;

/** XMLHttpRequest, because fetch cannot say how much of a body has been sent. */
const sendFile = (url: string, token: string, file: Blob, options: UploadOptions): Promise<UploadedFile> =>
  new Promise((resolve, reject) => {
    // A request that was not sent yet takes no notice of an abort.
    if (options.signal?.aborted) {
      reject(new DOMException('The upload was cancelled.', 'AbortError'));
      return;
    }
    const request = new XMLHttpRequest();
    const onAbort = () => request.abort();
    const settle = (finish: () => void) => {
      options.signal?.removeEventListener('abort', onAbort);
      finish();
    };
    request.open('POST', url);
    request.setRequestHeader('authorization', `Bearer ${token}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = (event) => options.onProgress?.(event.loaded, file.size);
    request.onload = () =>
      settle(() => {
        const response = new Response(request.responseText, {
          status: request.status,
          headers: { 'x-request-id': request.getResponseHeader('x-request-id') ?? '' },
        });
        if (!response.ok) void errorOfResponse(response).then(reject);
        else void response.json().then((body) => resolve(body as UploadedFile), reject);
      });
    request.onerror = () => settle(() => reject(new TypeError('upload failed')));
    request.onabort = () => settle(() => reject(new DOMException('The upload was cancelled.', 'AbortError')));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    request.send(file);
  });

/** Puts a file into the workspace of a running sandbox. Rejects with ApiError, or AbortError when cancelled. */
export const uploadFile = async (
  agentId: string,
  file: Blob,
  name: string,
  options: UploadOptions = {},
): Promise<UploadedFile> => {
  try {
    return await withToken((token) =>
      sendFile(urlOf(routes.uploadFile, { params: { agentId }, query: { name } }), token, file, options),
    );
  } catch (error) {
    throw error instanceof ApiError ? error : errorOfFailure(error);
  }
};
