import { readlinkSync } from 'node:fs';
import { IsyncError } from '../../model/isync-error.ts';
import type { FileRecord, RegularRecord } from '../list/file-record.ts';
import { encodeRecord } from '../list/record-codec.ts';
import type { BaseRecords } from './base-records.ts';
import { FilePacker, type FilePackerOptions, type FileStep } from './file-packer.ts';
import type { HardLinks } from './hard-links.ts';
import { LeftOut, looking } from './left-out.ts';
import { commonOf } from './record-of.ts';

export interface MemberPackerOptions extends FilePackerOptions {
  readonly base: BaseRecords;
  readonly links: HardLinks;
}

/** Makes a record of each thing that the walk finds, and a member of the tar where the base hasn't the same. */
export class MemberPacker {
  readonly #options: MemberPackerOptions;
  readonly #files: FilePacker;

  constructor(options: MemberPackerOptions) {
    this.#options = options;
    this.#files = new FilePacker(options);
  }

  /**
   * In the order of the walk. Undefined where it is left out, which has been told.
   * @throws IsyncError as the tar and the base do, and SOURCE_FAILED where what a command printed can't be read
   */
  async pack(step: FileStep): Promise<FileRecord | undefined> {
    try {
      const before = await this.#options.base.find(step.path);
      if (step.stats.isFile()) return await this.#file(step, before);
      return await this.#withoutContent(step, before);
    } catch (error) {
      if (!(error instanceof LeftOut)) throw error;
      if (step.kind === 'output')
        throw new IsyncError('SOURCE_FAILED', "what a command printed can't be read again", {
          path: step.path,
          cause: error.cause,
        });
      if (error.problem !== undefined) this.#options.tally.problem(error.problem, step.path);
      return undefined;
    }
  }

  async #file(step: FileStep, before: FileRecord | undefined): Promise<RegularRecord> {
    const { links, tar, tally, version } = this.#options;
    const linked = links.find(step.path, step.stats);
    if (linked !== undefined) {
      // A tar can only link to what it has.
      if (linked.stored.archive === version) await tar.add(linked);
      return linked;
    }
    const record = await this.#files.pack(step, before);
    links.remember(record, step.stats);
    if (record.isTorn)
      tally.problem(
        new IsyncError('FILE_CHANGED', 'it changed whenever it was read: it may be of no single moment'),
        step.path,
      );
    return record;
  }

  async #withoutContent(step: FileStep, before: FileRecord | undefined): Promise<FileRecord> {
    const { path, at, stats } = step;
    const common = commonOf(path, stats, this.#options.owners);
    const record: FileRecord = stats.isDirectory()
      ? { ...common, type: 'directory' }
      : { ...common, type: 'symlink', target: looking(path, () => readlinkSync(at, 'buffer')) };
    if (before === undefined || encodeRecord(record) !== encodeRecord(before))
      await this.#options.tar.add(record);
    return record;
  }
}
