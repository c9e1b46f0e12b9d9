import { problemOf } from '../model/problem.ts';
import type { RelPath } from '../model/rel-path.ts';
import { sameIdentity } from '../scanner/file-identity.ts';
import { Fingerprint } from '../scanner/fingerprint.ts';
import type { FileIdentity, ListedFile } from '../scanner/listed-file.ts';
import type { ScanContext } from './scan-context.ts';
import { transfer, type TransferOptions, type TransferOutcome } from './transfer.ts';

/** Marks that can't be told from the file's times (mtime in the future), remembered a directory. 200 bytes each. */
const MAX_FUTURE_MARKS = 100_000;

export interface SubmissionListener {
  /** The file is durable and marked. */
  marked(file: ListedFile, identity: FileIdentity): void;
  /** The file is another one by now: it must be looked at again. */
  changed(path: RelPath): void;
  /** Whatever came of it, the file is not on its way any more; told last. */
  landed(path: RelPath): void;
}

/** The files of one data directory that are on their way; sees to it that no version of a file goes twice at a time. */
export class Submissions {
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #listener: SubmissionListener;
  readonly #inFlight = new Map<RelPath, FileIdentity>();
  readonly #future = new Map<RelPath, FileIdentity>();
  readonly #confirmed = new Fingerprint();
  #idle: (() => void)[] = [];

  constructor(context: ScanContext, directory: RelPath, listener: SubmissionListener) {
    this.#context = context;
    this.#directory = directory;
    this.#listener = listener;
  }

  /** Whether `file` needs no sending: its mark holds, or was set by this scan on a file from the future. */
  isMarked(file: ListedFile): boolean {
    if (file.marked) return true;
    const remembered = this.#future.get(file.entry.path);
    return remembered !== undefined && sameIdentity(remembered, file.identity);
  }

  /** Fingerprint of every version that was marked here; of a file that went twice, of both. */
  get confirmedPrint(): string {
    return this.#confirmed.toString();
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
    settled?: () => void,
  ): Promise<boolean> {
    const admission = options.priority === 'live' ? this.#context.live : this.#context.backlog;
    await admission.acquire(rank);
    const path = file.entry.path;
    if (this.#context.stopping.aborted || this.#inFlight.has(path)) {
      admission.release();
      return false;
    }
    this.#inFlight.set(path, file.identity);
    void transfer(this.#context, file, options)
      .then((outcome) => {
        this.#settle(file, outcome);
        this.#listener.landed(path);
      })
      .finally(() => {
        admission.release();
        settled?.();
        if (this.#inFlight.size === 0) this.#tellIdle();
      });
    return true;
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
        this.#context.ownMarks.add(file.identity);
        this.#remember(file, outcome);
        this.#confirmed.add(path, file.entry.size, file.entry.mtimeUs, file.identity.ino);
        this.#listener.marked(file, outcome.identity);
        return;
      case 'changed':
        this.#listener.changed(path);
        return;
      case 'problem':
        this.#context.tally.problem(this.#directory, problemOf(outcome.error, path));
        return;
      case 'vanished':
        this.#context.options.observer.note('info', 'vanished before it was sent', {
          path,
          code: 'FILE_VANISHED',
        });
        return;
      case 'kept':
      case 'stopped':
        return;
    }
  }

  #remember(file: ListedFile, marked: { identity: FileIdentity; believable: boolean }): void {
    const { path } = file.entry;
    this.#future.delete(path);
    if (marked.believable) return;
    if (this.#future.size < MAX_FUTURE_MARKS) {
      this.#future.set(path, marked.identity);
      return;
    }
    this.#context.tally.problem(this.#directory, {
      path,
      code: 'MARK_NOT_KEPT',
      message:
        'its modification time lies in the future, so that its mark can not be told from a later write',
    });
  }

  #tellIdle(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const tell of waiting) tell();
  }
}
