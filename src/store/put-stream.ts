import type { RateLimiter } from '../flow/rate-limiter.ts';
import type { Abortable } from '../model/abortable.ts';
import { createDigester, type DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { PublishOptions, Store, Upload } from './store.ts';

export interface PutStreamOptions extends Abortable, PublishOptions {
  readonly algorithm: DigestAlgorithm;
  readonly limiter?: RateLimiter | undefined;
  /** Called with each count of bytes that the store has taken. Must not throw. */
  readonly onWritten?: ((bytes: number) => void) | undefined;
  /** Whether what the store has of the file may go on another time. Default: after an error that is retryable. */
  readonly mayGoOn?: ((error: unknown) => boolean) | undefined;
}

/**
 * Puts a file whose bytes come piece by piece, and goes on where an earlier try ended. `bytes` are those of the whole file, of
 * exactly the version that `entry` names, or reject; what the store has already is digested only. Each piece may be reused
 * once the next one is asked for. Resolves to the digest once the file is durable.
 * @throws IsyncError of the store; FILE_CHANGED where there are fewer or more bytes than `entry` says; what `bytes` reject
 *   with; the signal's reason
 */
export async function putStream(
  store: Pick<Store, 'begin'>,
  entry: FileEntry,
  bytes: AsyncIterable<Uint8Array>,
  options: PutStreamOptions,
): Promise<Buffer> {
  const { algorithm, replaceDamaged, signal, mayGoOn = isRetryable } = options;
  const upload = await store.begin(entry, { algorithm, resume: true, replaceDamaged, signal });
  try {
    const digest = await copy(entry, bytes, upload, options);
    await upload.commit(digest);
    return digest;
  } catch (error) {
    await (mayGoOn(error) ? upload.suspend() : upload.abort());
    throw error;
  }
}

async function copy(
  { path, size }: FileEntry,
  bytes: AsyncIterable<Uint8Array>,
  upload: Upload,
  { algorithm, limiter, signal, onWritten }: PutStreamOptions,
): Promise<Buffer> {
  const digester = createDigester(algorithm);
  let position = 0;
  for await (const piece of bytes) {
    signal?.throwIfAborted();
    const end = position + piece.length;
    if (end > size) throw otherSize(path, size);
    digester.update(piece);
    if (end > upload.offset) {
      const missing = piece.subarray(upload.offset - position);
      await limiter?.ready({ signal });
      await upload.write(missing);
      limiter?.spend(missing.length);
      onWritten?.(missing.length);
    }
    position = end;
  }
  if (position < size) throw otherSize(path, size);
  return digester.digest();
}

function isRetryable(error: unknown): boolean {
  return error instanceof IsyncError && error.retryable;
}

function otherSize(path: string, size: number): IsyncError {
  return new IsyncError('FILE_CHANGED', `the file has not the ${size} bytes that it had`, { path });
}
