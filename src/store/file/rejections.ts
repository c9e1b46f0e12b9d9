import { storeError } from './system-errors.ts';

/** Runs `run` for a call of the store, and rejects as calls do. */
export async function guard<T>(
  path: string,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw rejection(error, path, signal);
  }
}

/** What a call rejects with: the signal's reason as it is, anything else as an IsyncError. */
export function rejection(error: unknown, path: string, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true && error === signal.reason ? error : storeError(error, path);
}
