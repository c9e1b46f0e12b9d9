import { IsyncError } from '../../model/isync-error.ts';
import type { FileRecord } from '../list/file-record.ts';
import { comparePaths } from '../list/member-path.ts';

/** The records of the base, beside a walk in the same order: none is held but the one that comes next. */
export class BaseRecords implements AsyncDisposable {
  readonly #records: AsyncIterator<FileRecord> | undefined;
  readonly #version: number;
  #next: FileRecord | undefined;
  #isBegun = false;

  /** @param version that is being packed: those of the base are older */
  constructor(records: AsyncIterable<FileRecord> | undefined, version: number) {
    this.#records = records?.[Symbol.asyncIterator]();
    this.#version = version;
  }

  /**
   * The record of that path, or undefined. Each path lies behind the one before.
   * @throws IsyncError BACKUP_DAMAGED, and as the records do
   */
  async find(path: string): Promise<FileRecord | undefined> {
    if (!this.#isBegun) await this.#advance();
    while (this.#next !== undefined) {
      const order = comparePaths(this.#next.path, path);
      if (order === 0) return this.#next;
      if (order > 0) return undefined;
      await this.#advance();
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#records?.return?.();
  }

  async #advance(): Promise<void> {
    this.#isBegun = true;
    const result = await this.#records?.next();
    this.#next = result === undefined || result.done === true ? undefined : result.value;
    if (this.#next?.type === 'file' && this.#next.stored.archive >= this.#version)
      throw new IsyncError(
        'BACKUP_DAMAGED',
        `the list of the base points to archive ${this.#next.stored.archive}, which is not older than it`,
      );
  }
}
