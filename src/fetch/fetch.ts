import { ByteBudget } from '../flow/byte-budget.ts';
import { Limiter } from '../flow/limiter.ts';
import { retrying, type RetryPolicy } from '../flow/retry.ts';
import { TaskGroup } from '../flow/task-group.ts';
import { factsOf } from '../model/error-table.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { type IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { LocalStore } from '../store/file/local-store.ts';
import { fetchFile, SMALL_BYTES, type FetchContext } from './fetch-file.ts';
import type { FetchTally } from './fetch-tally.ts';
import { PutBatches } from './put-batches.ts';
import { Seals } from './seals.ts';
import type { Reader } from '../store/reader.ts';
import { isOfDisk, refusedObject } from '../store/refused-object.ts';
import type { ListOptions } from '../store/store.ts';

/** Bytes of files under way that are held in memory as a whole. */
const SMALL_BYTES_AT_ONCE = 16 * 1024 * 1024;
/** Those of them that are not held in memory as a whole: few large ones fill a link or a disk. */
const LARGE_AT_ONCE = 4;
/** Tries of a file whose bytes have another digest than is kept with them: the link may have damaged them once. */
const DIGEST_TRIES = 2;

export interface FetchRequest {
  readonly reader: Reader;
  readonly into: LocalStore;
  /** Whether a file is wanted, by its path. */
  readonly isWanted: (path: string) => boolean;
  readonly overwrite: boolean;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal;
  readonly tally: FetchTally;
  /** Called for each file that can't be brought, and each folder that can't be listed. Must not throw. */
  readonly onProblem?: ((path: string, error: IsyncError) => void) | undefined;
}

/**
 * Brings every file that is wanted and not here yet, a `finished.parse` when all others have come, and only where nothing of its
 * directory is missing. What is wrong with a single file is a problem in the tally, and the others go on.
 * Resolves to what has ended it before all was done: the link, the disk. Run it again, and it goes on. When the signal fires, nothing
 * more is begun, and what has come of large files stays for another run.
 */
export async function fetchFiles(request: FetchRequest): Promise<IsyncError | undefined> {
  const { reader, into, overwrite, isWanted, retry, tally } = request;
  const stopped = new AbortController();
  const signal = AbortSignal.any([request.signal, stopped.signal]);
  let failure: IsyncError | undefined;
  const stop = (error: IsyncError): void => {
    failure ??= error;
    stopped.abort(error);
  };
  const context: FetchContext = {
    reader,
    into,
    puts: new PutBatches(into),
    overwrite,
    signal,
    large: new Limiter(LARGE_AT_ONCE),
    stop,
    onMoved: (bytes) => void (tally.moved += bytes),
  };
  const atOnce = reader.filesAtOnce;
  const seals = new Seals();
  const tell = (path: string, error: IsyncError): void => {
    tally.problem(path, error);
    seals.problem(path);
    request.onProblem?.(path, error);
  };
  const failed = (path: string, thrown: unknown): void => {
    if (signal.aborted) return;
    const error = toIsyncError(thrown, 'INTERNAL', { path });
    if (endsAll(error)) return stop(error);
    tell(path, error);
  };
  const bring = async (entry: FileEntry): Promise<void> => {
    const once = async () => {
      try {
        return await fetchFile(entry, context);
      } catch (error) {
        throw refusedObject(error, entry.path) ?? error;
      }
    };
    try {
      const outcome = await retrying(once, retry, { signal, isRetryable: retryRule() });
      if (outcome === 'there') tally.there++;
      else {
        tally.files++;
        tally.bytes += entry.size;
      }
    } catch (error) {
      failed(entry.path, error);
    }
  };
  const wanted = async function* (onUnreadable: ListOptions['onUnreadable']): AsyncGenerator<FileEntry> {
    for await (const entry of reader.list({ signal, onUnreadable })) if (isWanted(entry.path)) yield entry;
  };
  const first = async function* (): AsyncGenerator<FileEntry> {
    for await (const entry of wanted(tell)) {
      tally.wanted++;
      if (!seals.hold(entry)) yield entry;
    }
  };
  try {
    await forEach(first(), bring, { atOnce, signal });
    // What the first listing has told is not told again.
    const tellNew = (folder: string, error: IsyncError): void => {
      if (!seals.isIncomplete(folder)) tell(folder, error);
    };
    const due = seals.due(() => wanted(tellNew));
    if (!signal.aborted) await forEach(due, bring, { atOnce, signal });
  } catch (error) {
    if (!signal.aborted) stop(toIsyncError(error, 'INTERNAL'));
  }
  return failure;
}

/** Rejects when the listing does, once all that was begun has ended. */
async function forEach(
  entries: AsyncIterable<FileEntry>,
  bring: (entry: FileEntry) => Promise<void>,
  { atOnce, signal }: { readonly atOnce: number; readonly signal: AbortSignal },
): Promise<void> {
  const places = new Limiter(atOnce);
  const memory = new ByteBudget(SMALL_BYTES_AT_ONCE);
  const tasks = new TaskGroup();
  try {
    for await (const entry of entries) {
      const place = await places.enter();
      const bytes = entry.size > SMALL_BYTES ? 0 : entry.size;
      const held = memory.tryTake(bytes) ?? (await memory.take(bytes));
      const end = (): void => {
        held[Symbol.dispose]();
        place[Symbol.dispose]();
      };
      tasks.add(bring(entry).finally(end));
      if (signal.aborted) return;
    }
  } finally {
    await tasks.idle();
  }
}

/** Whether trying a file again may help. */
function retryRule(): (error: IsyncError) => boolean {
  let mismatches = 0;
  return (error) => {
    if (error.code === 'DIGEST_MISMATCH') return ++mismatches < DIGEST_TRIES;
    return error.retryable && !isOfDisk(error);
  };
}

/** Whether no other file would fare better. */
function endsAll(error: IsyncError): boolean {
  return factsOf(error.code).concerns !== 'item' && !isOfDisk(error);
}
