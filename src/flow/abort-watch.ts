/**
 * Calls many callbacks when few signals fire. Node's EventTarget walks all its listeners for each one added or removed, which
 * is slow with thousands of files under one signal; here a signal gets one listener.
 */
export class AbortWatch {
  readonly #watched = new Map<AbortSignal, Watched>();

  /** Calls `callback` once when the signal fires, unless the returned function was called before. */
  watch(signal: AbortSignal, callback: () => void): () => void {
    const { callbacks } = this.#watched.get(signal) ?? this.#listen(signal);
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.#forget(signal);
    };
  }

  #listen(signal: AbortSignal): Watched {
    const callbacks = new Set<() => void>();
    const listener = () => {
      this.#watched.delete(signal);
      for (const callback of callbacks) callback();
    };
    const watched = { callbacks, listener };
    signal.addEventListener('abort', listener, { once: true });
    this.#watched.set(signal, watched);
    return watched;
  }

  #forget(signal: AbortSignal): void {
    const watched = this.#watched.get(signal);
    if (watched === undefined || watched.callbacks.size > 0) return;
    signal.removeEventListener('abort', watched.listener);
    this.#watched.delete(signal);
  }
}

interface Watched {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}
