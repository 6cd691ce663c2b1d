import { errorTable, PROMPT_MAX_BYTES, UPLOAD_MAX_BYTES, type ErrorCode } from '@sac/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { bounds } from './constants.ts';
import type { Terminal } from './terminal.ts';
import type { Terminals } from './terminals.ts';
import { saveUpload, UploadRefused } from './uploads.ts';

const MAX_EVENT_STREAMS = 8;
const KEYS_MAX_BASE64 = 4 * Math.ceil(bounds.inputFrameBytes / 3);
const CLEAR_LINE = '\x15';

class ControlError extends Error {
  readonly code: ErrorCode;
  readonly statusCode: number;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
    this.statusCode = errorTable[code].httpStatus;
  }
}

interface NameParams {
  readonly name: string;
}
interface PasteBody {
  readonly text: string;
  readonly submit: boolean;
  readonly clearFirst: boolean;
}

const pasteSchema = {
  type: 'object',
  required: ['text', 'submit', 'clearFirst'],
  additionalProperties: false,
  properties: {
    text: { type: 'string', maxLength: PROMPT_MAX_BYTES },
    submit: { type: 'boolean' },
    clearFirst: { type: 'boolean' },
  },
};
const keysSchema = {
  type: 'object',
  required: ['data'],
  additionalProperties: false,
  properties: { data: { type: 'string', minLength: 1, maxLength: KEYS_MAX_BASE64, pattern: '^[A-Za-z0-9+/]+={0,2}$' } },
};
const fileQuerySchema = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: { type: 'string', minLength: 1, maxLength: 255 } },
};

/** Text as a terminal pastes it: line breaks as carriage returns, nothing that could end the paste or act as a key. */
const pastable = (text: string): string => text.replace(/\r?\n/g, '\r').replace(/[^\P{Cc}\t\r]/gu, '');

const runningTerminal = (terminals: Terminals, name: string): Terminal => {
  const terminal = terminals.find(name);
  if (terminal === null) throw new ControlError('not_found', `there is no terminal ${name}`);
  return terminal;
};

const write = (terminal: Terminal, data: Uint8Array): void => {
  if (terminal.exit !== null) throw new ControlError('conflict', `the process in terminal ${terminal.name} has ended`);
  if (!terminal.input(data)) {
    throw new ControlError(
      'unavailable',
      `terminal ${terminal.name} does not read: ${data.length} bytes more would exceed the ${bounds.inputQueueBytes} that may wait`,
    );
  }
};

/** Nothing is typed for a caller who gave up meanwhile: it has been told that nothing is known of its paste. */
const paste = async (
  terminal: Terminal,
  body: PasteBody,
  hasGone: () => boolean,
): Promise<{ bracketedPaste: boolean }> => {
  const { modes } = await terminal.screen();
  if (hasGone()) throw new ControlError('conflict', 'the connection was closed before anything was pasted');
  const text = pastable(body.text);
  const framed = modes.bracketedPaste ? `\x1b[200~${text}\x1b[201~` : text;
  write(terminal, Buffer.from(`${body.clearFirst ? CLEAR_LINE : ''}${framed}${body.submit ? '\r' : ''}`));
  return { bracketedPaste: modes.bracketedPaste };
};

/** State now and after every change, one JSON object per line. A reader that does not keep up gets the newest. */
const streamState = (terminals: Terminals, reply: FastifyReply, onEnd: () => void): void => {
  const { raw } = reply;
  let due = false;
  const send = (): void => {
    due = raw.writableNeedDrain;
    if (!due) raw.write(`${JSON.stringify(terminals.state)}\n`);
  };
  reply.hijack();
  raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  const unwatch = terminals.watch(send);
  raw.on('drain', () => {
    if (due) send();
  });
  raw.on('close', () => {
    unwatch();
    onEnd();
  });
  send();
};

const registerFiles = async (app: FastifyInstance, workspaceDir: string): Promise<void> => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.put<{ Querystring: { name: string }; Body: Readable }>(
    '/files',
    { schema: { querystring: fileQuerySchema }, bodyLimit: UPLOAD_MAX_BYTES + 1 },
    async (request: FastifyRequest<{ Querystring: { name: string }; Body: Readable }>) => {
      const ended = new AbortController();
      request.raw.on('close', () => {
        if (!request.raw.complete) ended.abort();
      });
      return saveUpload(workspaceDir, request.query.name, request.body, ended.signal);
    },
  );
};

const registerTerminals = (app: FastifyInstance, terminals: Terminals): void => {
  app.post('/terminals', async (_request, reply) => {
    const terminal = terminals.openShell();
    if (terminal === null)
      throw new ControlError(
        'limit_reached',
        `${bounds.terminalsPerSandbox} terminals run, which is the limit; close one first`,
      );
    return reply.code(201).send(terminal.info);
  });
  app.delete<{ Params: NameParams }>('/terminals/:name', async (request, reply) => {
    const { name } = request.params;
    if (name === 'main') throw new ControlError('conflict', 'main cannot be closed; restart it instead');
    if (!terminals.closeShell(name)) throw new ControlError('not_found', `there is no terminal ${name}`);
    return reply.code(204).send();
  });
  app.post<{ Params: NameParams; Body: PasteBody }>(
    '/terminals/:name/paste',
    { schema: { body: pasteSchema }, bodyLimit: 8 * PROMPT_MAX_BYTES },
    async (request, reply) =>
      paste(runningTerminal(terminals, request.params.name), request.body, () => reply.raw.destroyed),
  );
  app.post<{ Params: NameParams; Body: { readonly data: string } }>(
    '/terminals/:name/keys',
    { schema: { body: keysSchema } },
    async (request, reply) => {
      write(runningTerminal(terminals, request.params.name), Buffer.from(request.body.data, 'base64'));
      return reply.code(204).send();
    },
  );
  app.get<{ Params: NameParams }>('/terminals/:name/screen', async (request) =>
    runningTerminal(terminals, request.params.name).screen(),
  );
};

/**
 * What the sidecar may do with the terminals. There is no token: whoever can reach the socket is the
 * sidecar, because the socket lies outside the sandbox.
 */
export const registerControl = async (
  app: FastifyInstance,
  terminals: Terminals,
  workspaceDir: string,
): Promise<void> => {
  let streams = 0;
  app.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, request, reply) => {
    const code =
      error instanceof ControlError || error instanceof UploadRefused
        ? error.code
        : (error.statusCode ?? 500) < 500
          ? 'invalid_request'
          : 'internal';
    await reply
      .code(error instanceof UploadRefused ? errorTable[error.code].httpStatus : (error.statusCode ?? 500))
      .send({ code, message: error.message, requestId: request.id });
  });
  app.get('/state', async () => terminals.state);
  app.get('/events', (_request, reply) => {
    if (streams >= MAX_EVENT_STREAMS)
      throw new ControlError('limit_reached', `${streams} event streams are open, which is the limit`);
    streams++;
    streamState(terminals, reply, () => streams--);
  });
  app.post('/main/restart', async (_request, reply) => {
    terminals.restartMain();
    return reply.code(202).send(terminals.state.main);
  });
  registerTerminals(app, terminals);
  await app.register(async (files) => registerFiles(files, workspaceDir));
};
