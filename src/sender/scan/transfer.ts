import { setTimeout as delay } from 'node:timers/promises';
import type { FileIdentity } from '../../model/file-identity.ts';
import { sameVersion } from '../../model/file-entry.ts';
import { factsOf, type ErrorCode } from '../../model/error-table.ts';
import { errnoOf, toIsyncError, type IsyncError } from '../../model/isync-error.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { markFile } from '../../scanner/mark.ts';
import { digestSource } from '../digest-source.ts';
import { makeDurable } from '../durable-source.ts';
import { tickOf } from '../../scanner/clock-tick.ts';
import type { DirectorySync } from '../directory-sync.ts';
import type { ScanContext } from './scan-context.ts';
import { createSourceFile } from '../source-file.ts';
import type { SourceFile } from '../target.ts';

export type TransferOutcome =
  | {
      readonly kind: 'marked';
      readonly identity: FileIdentity;
      readonly believable: boolean;
      /** Of the target that has confirmed the file. */
      readonly incarnation: string;
    }
  /** Written to, replaced or its mark taken off meanwhile: look at it again. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'vanished' }
  /** The target holds this very content already. */
  | { readonly kind: 'kept' }
  /** `lasting`: the same version would come to the same end again. */
  | { readonly kind: 'problem'; readonly error: IsyncError; readonly lasting: boolean }
  /** The scan ends; whether the file is durable is not known, so it has no mark. */
  | { readonly kind: 'stopped' };

/** Errors that concern more than one file, and end no scan all the same: what they befall is sent again later. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STORE_FULL',
  'STORE_FAILED',
  'LINK_LOST',
  'BUSY',
  'WATCH_FAILED',
]);

/** Fatal, unless the system says that we may not, of this one file: another owner's, or made immutable. */
const OF_ONE_FILE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['READ_ONLY', 'MARK_NOT_KEPT']);

/** When this many files can't be marked and none could, the whole root is not ours, not single files. */
const MOST_UNMARKABLE = 100;

/** Errors that sending the same version again does not mend. */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['MARK_NOT_KEPT', 'SOURCE_DAMAGED']);

export interface TransferOptions {
  readonly priority: 'live' | 'backlog';
  /** Ask the target first, and send only what it does not hold. */
  readonly unlessKept: boolean;
  /** One that began after the file was listed. */
  readonly sync?: DirectorySync | undefined;
}

/** Sends one version of one file, waits until it is durable here and at the target, and only then marks it. */
export async function transfer(
  context: ScanContext,
  file: ListedFile,
  { priority, unlessKept, sync }: TransferOptions,
): Promise<TransferOutcome> {
  const { options, cut } = context;
  const source = createSourceFile(options.root, file, options.keptOpen);
  try {
    // Before the read: what is read must be what was synced, and the read finds out whether it is what was listed.
    if (sync?.covers(file.identity) !== true) await makeDurable(options.root, file.entry.path, priority);
    const startedAtMs = Date.now();
    if (unlessKept && (await isKept(context, source))) return { kind: 'kept' };
    const receipt = await options.target.put(source, {
      priority,
      signal: cut,
      onSent: (bytes) => options.observer.sent(bytes),
    });
    const { mtimeMs } = file.identity;
    // Read this soon, it may be written again without its mtime changing: it is read once more when the tick is over.
    const tickMs = tickOf(mtimeMs);
    if (startedAtMs - mtimeMs < tickMs) {
      const leftMs = mtimeMs + tickMs - Date.now();
      // An mtime in the future says nothing of the tick. No stop cuts it short: a mark set sooner could be wrong.
      if (leftMs > 0) await delay(Math.min(leftMs, tickMs));
      const digest = await digestSource(source, options.target.traits.digest);
      if (!digest.equals(receipt.digest)) return { kind: 'changed' };
    }
    return await mark(context, file, receipt.incarnation, source.descriptor);
  } catch (thrown) {
    if (cut.aborted) return { kind: 'stopped' };
    return outcomeOf(context, toIsyncError(thrown, 'INTERNAL', { path: file.entry.path }));
  } finally {
    source.letGo();
  }
}

/**
 * By its content too: a mapped file, and one whose write(2) takes long, has the times of the beginning when it is closed,
 * and may have been sent in between.
 */
async function isKept({ options, cut }: ScanContext, source: SourceFile): Promise<boolean> {
  const { target } = options;
  const { entry } = source;
  const [record] = await target.look([entry.path], { signal: cut });
  if (record === undefined || !sameVersion(entry, record.entry)) return false;
  const [kept] = await target.look([entry.path], { signal: cut, digest: true });
  return kept?.digest?.equals(await digestSource(source, target.traits.digest)) === true;
}

async function mark(
  context: ScanContext,
  file: ListedFile,
  incarnation: string,
  descriptor: number | undefined,
): Promise<TransferOutcome> {
  const { root } = context.options;
  const result = await markFile(root, file.entry.path, file.identity, descriptor);
  if (result.outcome !== 'marked') return { kind: result.outcome };
  context.tally.transferred(file.entry.path, file.entry.size);
  return { kind: 'marked', identity: result.identity, believable: result.believable, incarnation };
}

/** Returns what an error of one file or directory means; ends the scan where the error concerns all of them. */
export function outcomeOf(context: ScanContext, error: IsyncError): TransferOutcome {
  if (error.code === 'FILE_CHANGED') return { kind: 'changed' };
  if (error.code === 'FILE_VANISHED') return { kind: 'vanished' };
  if (isFatal(error) && !(mayPass(error) && !context.options.once)) {
    context.fail(error);
    return { kind: 'stopped' };
  }
  // The target has waited for room as long as it may: every other file would wait as long, one after another.
  if (error.code === 'STORE_FULL') context.fail(error);
  if (
    error.code === 'MARK_NOT_KEPT' &&
    context.tally.unmarkable() >= MOST_UNMARKABLE &&
    context.tally.marksNothing
  )
    context.fail(error);
  return { kind: 'problem', error, lasting: LASTING.has(error.code) };
}

/** A refusal by one file or directory is its own problem; a refusal by the file system ends the scan. */
function isFatal(error: IsyncError): boolean {
  const errno = errnoOf(error.cause);
  const concernsAll = factsOf(error.code).concerns !== 'item' && !PASSING.has(error.code);
  return concernsAll && !(OF_ONE_FILE.has(error.code) && (errno === 'EPERM' || errno === 'EACCES'));
}

/** A full disk of ours, or too many open files: a daemon outlives them. */
function mayPass({ code, retryable }: IsyncError): boolean {
  return code === 'READ_ONLY' && retryable;
}
