import { createDigester, type DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Store, Upload } from '../../store/store.ts';
import { Forgotten, type PutJob } from '../send-queue.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
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
  const { algorithm, replaceDamaged, signal } = options;
  const reader = await job.file.open();
  try {
    const upload = await store.begin(entry, { algorithm, resume: true, replaceDamaged, signal });
    try {
      const digest = await transfer(job, reader, upload, options);
      await upload.commit(digest);
      return digest;
    } catch (error) {
      await (mayGoOn(error, job) ? upload.suspend() : upload.abort());
      throw error;
    }
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

async function transfer(
  job: PutJob,
  reader: SourceReader,
  upload: Upload,
  { algorithm, limiter, signal }: CopyLargeOptions,
): Promise<Buffer> {
  const { path, size } = job.file.entry;
  const digester = createDigester(algorithm);
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, limiter?.quantumBytes ?? Infinity));
  const offset = upload.offset;
  for (let position = 0; position < size;) {
    // Up to the offset the bytes are there and only digested; from there on they are written too.
    const end = position < offset ? offset : size;
    const part = piece.subarray(0, Math.min(piece.length, end - position));
    if ((await reader.read([part], position)) < part.length) throw changed(path);
    digester.update(part);
    if (position >= offset) {
      await limiter?.ready({ signal });
      await upload.write(part);
      limiter?.spend(part.length);
      job.sent(part.length);
    }
    position += part.length;
    if (job.settled) throw new Forgotten();
  }
  await reader.check();
  return digester.digest();
}

/** Kept are the bytes of a file that may come again as it is. */
function mayGoOn(error: unknown, { settled }: PutJob): boolean {
  return settled || (error instanceof IsyncError && error.retryable);
}
