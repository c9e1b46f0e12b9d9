import { type FileIdentity, sameIdentity } from '../../model/file-identity.ts';
import { problemOf, type Problem } from '../../model/problem.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { FutureMarks } from './future-marks.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { Proven } from './proven.ts';
import type { ScanContext } from './scan-context.ts';
import { bothWaiting, WaitingCount, waitingOf, type Waiting } from './waiting-files.ts';
import { transfer, type TransferOptions, type TransferOutcome } from './transfer.ts';

/** Most files of a directory remembered as refused for good, so that they are not sent again. About 400 bytes each. */
const MAX_REFUSED = 10_000;

/** Most files told of as marked meanwhile, about 100 bytes each. One beyond may be sent twice. */
const MAX_MARKED_MEANWHILE = 100_000;

export interface SubmissionListener {
  /** The file is durable and marked. */
  marked(file: ListedFile, identity: FileIdentity): void;
  /** The file is another one by now: it must be looked at again. */
  changed(path: RelPath): void;
}

/** Sends the files of one data directory, no version of a file twice at a time. */
export class Submissions {
  /** What has been sent from here and confirmed, or compared. */
  readonly proven = new Proven();
  /** Files that a listing has found and not submitted yet. */
  readonly listed = new WaitingCount();
  /** What has been marked from here so far. */
  readonly marked = { files: 0, bytes: 0 };
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #listener: SubmissionListener;
  readonly #inFlight = new Map<RelPath, FileIdentity>();
  readonly #future = new FutureMarks();
  readonly #refused = new Map<RelPath, { readonly identity: FileIdentity; readonly problem: Problem }>();
  #idle: (() => void)[] = [];
  readonly #meanwhile = new Set<Set<RelPath>>();
  readonly #landing = new Map<RelPath, () => void>();

  constructor(context: ScanContext, directory: RelPath, listener: SubmissionListener) {
    this.#context = context;
    this.#directory = directory;
    this.#listener = listener;
  }

  /** Whether `file` needs no sending: its mark holds, or was set by this scan on a file from the future. */
  isMarked(file: ListedFile): boolean {
    if (file.marked) return true;
    return this.#future.has(file);
  }

  /** How many files have been marked from here so far. */
  get marks(): number {
    return this.marked.files;
  }

  /** Why it is of no use to send this very version again. */
  refusalOf({ entry, identity }: ListedFile): Problem | undefined {
    const refused = this.#refused.get(entry.path);
    return refused !== undefined && sameIdentity(refused.identity, identity) ? refused.problem : undefined;
  }

  /** Files that are on their way, or listed for it. */
  get waiting(): Waiting {
    return bothWaiting(waitingOf(this.#inFlight.values()), this.listed);
  }

  /** Paths and sizes of files that are on their way. */
  *inFlight(): Generator<{ readonly path: RelPath; readonly size: number }> {
    for (const [path, { size }] of this.#inFlight) yield { path, size };
  }

  isInFlight(path: RelPath): boolean {
    return this.#inFlight.has(path);
  }

  /**
   * Waits for room, then sends in the background and calls `settled` when that has come to an end. Resolves to false when
   * the file was not taken: stopping, or on its way already.
   */
  async submit(
    file: ListedFile,
    rank: number,
    options: TransferOptions,
    settled?: (kind: TransferOutcome['kind'] | undefined) => void,
  ): Promise<boolean> {
    const { limits } = this.#context;
    const admission = options.priority === 'live' ? limits.live : limits.backlog;
    if (!admission.tryAcquire()) await admission.acquire(rank);
    const path = file.entry.path;
    if (this.#context.stopping.aborted || this.#inFlight.has(path)) {
      admission.release();
      return false;
    }
    this.#inFlight.set(path, file.identity);
    void transfer(this.#context, file, options).then((outcome) => {
      try {
        this.#settle(file, outcome);
        this.#tellLanded(path);
      } finally {
        admission.release();
        settled?.(outcome.kind);
        if (this.#inFlight.size === 0) this.#tellIdle();
      }
    });
    return true;
  }

  /** The files that are marked from here from now on, until it is disposed of. */
  markedMeanwhile(): Disposable & { has(path: RelPath): boolean } {
    const paths = new Set<RelPath>();
    this.#meanwhile.add(paths);
    return { has: (path) => paths.has(path), [Symbol.dispose]: () => void this.#meanwhile.delete(paths) };
  }

  /** Calls `callback` once when the file that is on its way has come to an end, whatever came of it; one callback a path. */
  onceLanded(path: RelPath, callback: () => void): void {
    this.#landing.set(path, callback);
  }

  /** Resolves when nothing of this directory is on its way. */
  async idle(): Promise<void> {
    if (this.#inFlight.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #settle(file: ListedFile, outcome: TransferOutcome): void {
    const { path } = file.entry;
    this.#inFlight.delete(path);
    switch (outcome.kind) {
      case 'marked':
        this.marked.files++;
        this.marked.bytes += file.entry.size;
        this.#refused.delete(path);
        for (const paths of this.#meanwhile) if (paths.size < MAX_MARKED_MEANWHILE) paths.add(path);
        this.#remember(file, outcome);
        this.#context.ownMarks.add(outcome.identity);
        this.proven.add(file, outcome.incarnation);
        this.#listener.marked(file, outcome.identity);
        return;
      case 'changed':
        this.#listener.changed(path);
        return;
      case 'problem':
        this.#context.tally.problem(this.#directory, problemOf(outcome.error, path));
        if (outcome.lasting) this.#refuse(file, problemOf(outcome.error, path));
        return;
      case 'vanished':
        this.#context.options.log.info('vanished before it was sent', {
          path,
          code: 'FILE_VANISHED',
        });
        return;
      case 'kept':
      case 'stopped':
        return;
    }
  }

  #refuse({ entry, identity }: ListedFile, problem: Problem): void {
    if (this.#refused.size < MAX_REFUSED) this.#refused.set(entry.path, { identity, problem });
  }

  #remember(file: ListedFile, marked: { identity: FileIdentity; believable: boolean }): void {
    if (marked.believable) this.#future.forget(file);
    else if (!this.#future.add(file, marked.identity))
      this.#context.tally.problem(this.#directory, {
        path: file.entry.path,
        code: 'MARK_NOT_KEPT',
        message:
          'its modification time lies in the future, so that its mark can not be told from a later write',
      });
  }

  #tellLanded(path: RelPath): void {
    const tell = this.#landing.get(path);
    this.#landing.delete(path);
    tell?.();
  }

  #tellIdle(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const tell of waiting) tell();
  }
}
