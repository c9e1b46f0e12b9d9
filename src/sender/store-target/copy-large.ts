import type { RateLimiter } from '../../flow/rate-limiter.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { putStream } from '../../store/put-stream.ts';
import type { Store } from '../../store/store.ts';
import { Forgotten, type PutJob } from '../send-queue.ts';
import { changed } from '../source-file.ts';
import type { SourceReader } from '../target.ts';

/** Read and written at a time, in bytes: larger pieces are no faster on a disk. */
const PIECE_BYTES = 1024 * 1024;

export interface CopyLargeOptions {
  readonly algorithm: DigestAlgorithm;
  readonly replaceDamaged: boolean;
  readonly limiter: RateLimiter | undefined;
  readonly signal: AbortSignal;
}

/** Copies one file into the store piece by piece, going on where an earlier try ended. Resolves to its digest. */
export async function copyLarge(
  job: PutJob,
  store: Store,
  entry: FileEntry,
  options: CopyLargeOptions,
): Promise<Buffer> {
  const reader = await job.file.open();
  try {
    return await putStream(store, entry, piecesOf(job, reader, options), {
      ...options,
      onWritten: (bytes) => job.sent(bytes),
      // Kept are the bytes of a file that may come again as it is.
      mayGoOn: (error) => job.settled || (error instanceof IsyncError && error.retryable),
    });
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

/** The bytes of the file, all in one buffer, one piece after the other. */
async function* piecesOf(
  job: PutJob,
  reader: SourceReader,
  { limiter }: CopyLargeOptions,
): AsyncGenerator<Uint8Array> {
  const { path, size } = job.file.entry;
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, limiter?.quantumBytes ?? Infinity));
  for (let position = 0; position < size;) {
    const part = piece.subarray(0, Math.min(piece.length, size - position));
    if ((await reader.read([part], position)) < part.length) throw changed(path);
    yield part;
    position += part.length;
    if (job.settled) throw new Forgotten();
  }
  await reader.check();
}
