import type { IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { FileReader } from '../read/read-files.ts';
import type { OpenFolder } from './open-folder.ts';
import { RestoredFile } from './restored-file.ts';
import type { Tally } from './tally.ts';
import type { Settling } from './settling.ts';
import { writeError } from './write-error.ts';

/** Writes the content of one file where it belongs. What goes wrong with this file alone is a problem in the tally. */
export class Restoring implements FileReader {
  readonly record: RegularRecord;
  readonly #folder: OpenFolder;
  readonly #name: Buffer;
  readonly #tally: Tally;
  readonly #settling: Settling;
  #file: RestoredFile | undefined;
  #hasFailed = false;

  /** @param folder retained until release() */
  constructor(record: RegularRecord, folder: OpenFolder, name: Buffer, tally: Tally, settling: Settling) {
    this.record = record;
    this.#folder = folder.retain();
    this.#name = name;
    this.#tally = tally;
    this.#settling = settling;
  }

  async begin(): Promise<void> {
    this.#discard();
    this.#guarded(() => {
      this.#file = new RestoredFile(this.#folder, this.#name, this.record);
    });
  }

  async take(piece: Uint8Array): Promise<void> {
    this.#tally.fetched += piece.length;
    this.#guarded(() => this.#file?.write(piece));
  }

  async end(): Promise<boolean> {
    const file = this.#file;
    // Told already.
    if (this.#hasFailed || file === undefined) return true;
    try {
      if (!file.end()) return false;
    } catch (error) {
      this.#failed(error);
      return true;
    }
    await this.#settling.add(async () => await this.#settle(file));
    return true;
  }

  async fail(error: IsyncError): Promise<void> {
    this.#discard();
    if (!this.#hasFailed) this.#tally.problem(this.record.path, error);
    this.#hasFailed = true;
  }

  /** Nothing more is done with it. */
  release(): void {
    this.#discard();
    this.#folder.release();
  }

  async #settle(file: RestoredFile): Promise<void> {
    try {
      await file.settle();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#file = undefined;
    this.#tally.files++;
    this.#tally.bytes += this.record.size;
    if (this.record.isTorn) this.#tally.torn++;
  }

  #guarded(act: () => void): void {
    if (this.#hasFailed) return;
    try {
      act();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const told = writeError(error, this.record.path);
    this.#discard();
    // Of the disk: no other file would fare better.
    if (told.code === 'STORE_FULL') throw told;
    this.#hasFailed = true;
    this.#tally.problem(this.record.path, told);
  }

  #discard(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.discard();
  }
}
