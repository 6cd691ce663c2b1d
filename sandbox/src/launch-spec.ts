import { readFileSync } from 'node:fs';

/** One program to run in a terminal. `env` is its whole environment: nothing of the server's own is added. */
export interface LaunchCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** How the CLI takes up its conversation again: when `idFile` holds an id, `args` are appended with `{id}` replaced. */
export interface ResumeSpec {
  readonly idFile: string;
  readonly args: readonly string[];
}

/** Where and how much is recorded. `isOn` false: nothing new, what is there can still be read. */
export interface RecordingSpec {
  readonly directory: string;
  readonly totalBytes: number;
  readonly isOn: boolean;
}

/** What a sandbox runs and how its terminal server recognises tokens. Written by the runtime, read once at start. */
export interface LaunchSpec {
  readonly agentUid: string;
  /** Grows with every start of the sandbox; a token of another generation is refused. */
  readonly generation: number;
  /** HS256 key of the inner tokens. Never passed on to a process in a terminal. */
  readonly terminalKey: string;
  readonly workspaceDir: string;
  readonly main: LaunchCommand & { readonly resume: ResumeSpec | null };
  readonly shell: LaunchCommand;
  /** Null: this sandbox keeps no record of its terminals. */
  readonly recording: RecordingSpec | null;
}

const MAX_SPEC_BYTES = 1024 * 1024;
const MAX_LIST_LENGTH = 1_000;
const MIN_KEY_CHARACTERS = 32;
const MIN_RECORDING_BYTES = 1024 * 1024;

type Fields = Readonly<Record<string, unknown>>;

class SpecInvalid extends Error {
  constructor(path: string, problem: string) {
    super(`launch spec: ${path}: ${problem}`);
    this.name = 'SpecInvalid';
  }
}

const fieldsOf = (value: unknown, path: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SpecInvalid(path, 'expected an object');
  return { ...value };
};

const textOf = (value: unknown, path: string, minimumCharacters = 1): string => {
  if (typeof value !== 'string') throw new SpecInvalid(path, `expected text, got ${typeof value}`);
  if (value.length < minimumCharacters)
    throw new SpecInvalid(path, `${value.length} characters, at least ${minimumCharacters} are needed`);
  if (value.includes('\0')) throw new SpecInvalid(path, 'contains a NUL character');
  return value;
};

const absoluteOf = (value: unknown, path: string): string => {
  const text = textOf(value, path);
  if (!text.startsWith('/'))
    throw new SpecInvalid(path, `expected an absolute path, got ${JSON.stringify(text.slice(0, 100))}`);
  return text;
};

const listOf = (value: unknown, path: string): readonly string[] => {
  if (!Array.isArray(value)) throw new SpecInvalid(path, 'expected a list');
  const list: readonly unknown[] = value;
  if (list.length > MAX_LIST_LENGTH)
    throw new SpecInvalid(path, `${list.length} entries, the limit is ${MAX_LIST_LENGTH}`);
  return list.map((entry, index) => textOf(entry, `${path}[${index}]`, 0));
};

const environmentOf = (value: unknown, path: string): Readonly<Record<string, string>> => {
  const entries = Object.entries(fieldsOf(value, path));
  if (entries.length > MAX_LIST_LENGTH)
    throw new SpecInvalid(path, `${entries.length} entries, the limit is ${MAX_LIST_LENGTH}`);
  return Object.fromEntries(
    entries.map(([name, text]) => {
      if (name === '' || name.includes('=') || name.includes('\0'))
        throw new SpecInvalid(path, `not a variable name: ${JSON.stringify(name)}`);
      return [name, textOf(text, `${path}.${name}`, 0)];
    }),
  );
};

const commandOf = (value: unknown, path: string): LaunchCommand => {
  const fields = fieldsOf(value, path);
  return {
    command: textOf(fields['command'], `${path}.command`),
    args: listOf(fields['args'], `${path}.args`),
    env: environmentOf(fields['env'], `${path}.env`),
    cwd: absoluteOf(fields['cwd'], `${path}.cwd`),
  };
};

const resumeOf = (value: unknown): ResumeSpec | null => {
  if (value === null || value === undefined) return null;
  const fields = fieldsOf(value, 'main.resume');
  return {
    idFile: absoluteOf(fields['idFile'], 'main.resume.idFile'),
    args: listOf(fields['args'], 'main.resume.args'),
  };
};

const recordingOf = (value: unknown): RecordingSpec | null => {
  if (value === null || value === undefined) return null;
  const { directory, totalBytes, isOn } = fieldsOf(value, 'recording');
  if (typeof totalBytes !== 'number' || !Number.isSafeInteger(totalBytes) || totalBytes < MIN_RECORDING_BYTES)
    throw new SpecInvalid('recording.totalBytes', `expected a whole number of at least ${MIN_RECORDING_BYTES}`);
  if (typeof isOn !== 'boolean') throw new SpecInvalid('recording.isOn', 'expected true or false');
  return { directory: absoluteOf(directory, 'recording.directory'), totalBytes, isOn };
};

/** @throws Error naming the first field that is wrong */
export const parseLaunchSpec = (value: unknown): LaunchSpec => {
  const fields = fieldsOf(value, '(whole)');
  const { generation } = fields;
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation) || generation < 0) {
    throw new SpecInvalid('generation', 'expected a whole number of at least 0');
  }
  return {
    agentUid: textOf(fields['agentUid'], 'agentUid'),
    generation,
    terminalKey: textOf(fields['terminalKey'], 'terminalKey', MIN_KEY_CHARACTERS),
    workspaceDir: absoluteOf(fields['workspaceDir'], 'workspaceDir'),
    main: { ...commandOf(fields['main'], 'main'), resume: resumeOf(fieldsOf(fields['main'], 'main')['resume']) },
    shell: commandOf(fields['shell'], 'shell'),
    recording: recordingOf(fields['recording']),
  };
};

/** Reads and checks the spec file. @throws Error when it is missing, too large, not JSON or not a spec */
export const readLaunchSpec = (path: string): LaunchSpec => {
  const bytes = readFileSync(path);
  try {
    if (bytes.length > MAX_SPEC_BYTES)
      throw new SpecInvalid('(whole)', `${bytes.length} bytes, the limit is ${MAX_SPEC_BYTES}`);
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      throw new SpecInvalid('(whole)', 'not valid JSON');
    }
    return parseLaunchSpec(value);
  } finally {
    bytes.fill(0);
  }
};
