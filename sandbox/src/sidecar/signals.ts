interface Waiter<T> {
  readonly accepts: (value: T) => boolean;
  readonly settle: (value: T | null) => void;
}

export interface Waiting<T> extends Promise<T | null> {
  /** Settles with null at once. */
  cancel(): void;
}

/** Values that pass by, and waiting for one of them with a bound. */
export class Signals<T> {
  readonly #waiters = new Set<Waiter<T>>();

  emit(value: T): void {
    for (const waiter of [...this.#waiters]) if (waiter.accepts(value)) waiter.settle(value);
  }

  /** The next value that `accepts` takes; null after `timeoutMs`, when cancelled or when `signal` aborts. */
  next(accepts: (value: T) => boolean, timeoutMs: number, signal?: AbortSignal): Waiting<T> {
    let cancel = (): void => undefined;
    const promise = new Promise<T | null>((resolve) => {
      const settle = (value: T | null): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiters.delete(waiter);
        resolve(value);
      };
      cancel = () => settle(null);
      const waiter: Waiter<T> = { accepts, settle };
      const timer = setTimeout(cancel, timeoutMs);
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', cancel, { once: true });
    });
    return Object.assign(promise, { cancel: () => cancel() });
  }
}
