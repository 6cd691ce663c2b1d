import type { RecordingList } from '@sac/contracts';
import type { RecordingSpec } from '../../launch-spec.ts';
import { Recorder, type RecorderOptions } from './recorder.ts';
import { RecordStore } from './record-store.ts';

/** All records of a sandbox: those being written and those that can be read. */
export class Records {
  readonly store: RecordStore;
  readonly #isOn: boolean;
  readonly #warn: (message: string) => void;
  readonly #recorders = new Map<Recorder, string>();

  /** `warn` hears why a terminal is not recorded any more, once per terminal. */
  constructor(spec: RecordingSpec, warn: (message: string) => void) {
    this.store = new RecordStore(spec.directory, spec.totalBytes);
    this.#isOn = spec.isOn;
    this.#warn = warn;
  }

  /** Null: recording is off. */
  record(options: Omit<RecorderOptions, 'store'>): Recorder | null {
    if (!this.#isOn) return null;
    const recorder = new Recorder({
      ...options,
      store: this.store,
      onStopped: (reason) => {
        this.#warn(`terminal ${options.terminal} is not recorded any more: ${reason}`);
        options.onStopped(reason);
      },
    });
    this.#recorders.set(recorder, options.terminal);
    recorder.closed.then(
      () => this.#recorders.delete(recorder),
      () => undefined,
    );
    return recorder;
  }

  /** Everything that was shown until now is in it. @throws the file system's error */
  async list(terminal: string): Promise<RecordingList> {
    const writing = [...this.#recorders].filter(([, name]) => name === terminal).map(([recorder]) => recorder);
    await Promise.all(writing.map((recorder) => recorder.written()));
    return {
      recorded: writing.some((recorder) => recorder.isRecording),
      terminals: await this.store.terminals(),
      segments: await this.store.list(terminal),
    };
  }

  /** Settles when all that was recorded is in the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#recorders.keys()].map((recorder) => recorder.close()));
  }
}
