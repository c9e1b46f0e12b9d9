import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncNames } from '../../sqlite/state-folder.ts';
import type { FileRecord } from '../list/file-record.ts';
import { encodeRecord } from '../list/record-codec.ts';
import { writeFault } from './file-fault.ts';
import type { FrameWriter } from './frames.ts';

/**
 * Characters of lines that are written at a time, and bytes that are read. Strings above 128 KiB are large objects to V8, which lets some 50 MB
 * of them lie dead before it collects any.
 */
const BLOCK = 64 * 1024;
const ENDING = '.provisional';
const WHAT = 'the file list';

/**
 * A file list while its archive is written. Where a frame ends is known only once it is full, and a million records are not held until then. So
 * records of this archive are written with positions in the tar (`from`, `to`), to a file beside the list; at the end that is read
 * once more, and the list made of it.
 */
export class ProvisionalList implements AsyncDisposable {
  readonly #path: string;
  readonly #version: number;
  readonly #file: FileHandle;
  #lines = '';
  #records = 0;

  private constructor(path: string, version: number, file: FileHandle) {
    this.#path = path;
    this.#version = version;
    this.#file = file;
  }

  /** @param version of the archive whose positions are provisional */
  static async create(path: string, version: number): Promise<ProvisionalList> {
    return new ProvisionalList(path, version, await createAnew(path + ENDING));
  }

  get records(): number {
    return this.#records;
  }

  /** In the order of a list. Rejects with an IsyncError, as finish() does. */
  async add(record: FileRecord): Promise<void> {
    this.#lines += encodeRecord(record);
    this.#records++;
    if (this.#lines.length >= BLOCK) await this.#flush();
  }

  /** Makes the list, durable, once the frames have ended. */
  async finish(frames: Pick<FrameWriter, 'placeOf'>): Promise<void> {
    await this.#flush();
    const list = await createAnew(this.#path);
    try {
      for await (const lines of this.#placedLines(frames)) await list.writeFile(lines, 'latin1');
      await list.sync();
    } catch (error) {
      throw writeFault(error, this.#path, WHAT);
    } finally {
      await list.close();
    }
    await syncNames(dirname(this.#path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await rm(this.#path + ENDING, { force: true });
  }

  async #flush(): Promise<void> {
    try {
      await this.#file.writeFile(this.#lines);
    } catch (error) {
      throw writeFault(error, this.#path, WHAT);
    }
    this.#lines = '';
  }

  async *#placedLines(frames: Pick<FrameWriter, 'placeOf'>): AsyncGenerator<string> {
    // Never within a string of JSON: there a quote has a backslash before it, and a comma can't end one just before a name.
    const provisional = new RegExp(
      String.raw`,"archive":${this.#version},"from":(\d+),"to":(\d+),"skip":0(?=[,}])`,
      'g',
    );
    const placed = (_: string, start: string, end: string): string => {
      const place = frames.placeOf(Number(start), Number(end));
      if (place === undefined) throw new TypeError(`no frame holds ${start} to ${end}`);
      const { from, to, skip } = place;
      return `,"archive":${this.#version},"from":${from},"to":${to},"skip":${skip}`;
    };
    // Bytes as characters: they come out as they went in, wherever a block is cut.
    const blocks = createReadStream(this.#path + ENDING, { encoding: 'latin1', highWaterMark: BLOCK });
    let rest = '';
    for await (const block of blocks) {
      rest += String(block);
      const end = rest.lastIndexOf('\n') + 1;
      yield rest.slice(0, end).replace(provisional, placed);
      rest = rest.slice(end);
    }
  }
}

async function createAnew(path: string): Promise<FileHandle> {
  try {
    await rm(path, { force: true });
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw writeFault(error, path, WHAT);
  }
}
