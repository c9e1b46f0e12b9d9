import type { FileEntry } from '../../model/file-entry.ts';
import { checkDigest } from '../check-digest.ts';
import type { ResumableDigester } from './resumable-digest.ts';
import type { S3Body } from './s3-body.ts';

/** An upload that another process has completed without getting to say so. Only the answer is left to give. */
export class CompleteBody implements S3Body {
  readonly offset: number;
  readonly #file: FileEntry;
  readonly #digester: ResumableDigester;
  readonly #forget: () => Promise<void>;

  constructor(file: FileEntry, digester: ResumableDigester, forget: () => Promise<void>) {
    this.#file = file;
    this.offset = file.size;
    this.#digester = digester;
    this.#forget = forget;
  }

  async ready(): Promise<void> {
    // It takes no memory.
  }

  async write(): Promise<void> {
    // The file is at its end, so only empty writes can come.
  }

  async publish(digest: Uint8Array): Promise<void> {
    // Also when the digest differs: the next upload of this file is to begin anew.
    await this.#forget();
    checkDigest(this.#file, this.offset, this.#digester.digest(), digest);
  }

  async letGo(keep: boolean): Promise<void> {
    if (!keep) await this.#forget();
  }
}
