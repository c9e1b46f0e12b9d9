import type { FileEntry } from '../../model/file-entry.ts';
import { checkDigest } from '../check-digest.ts';
import type { ResumableDigester } from './resumable-digest.ts';
import type { UploadBody } from './s3-upload.ts';

/** An upload that was completed by a process that could not say so any more: all that is left is the answer. */
export class CompleteBody implements UploadBody {
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
    // Takes none.
  }

  async write(): Promise<void> {
    // Nothing but empty writes can come at the end of the file.
  }

  async publish(digest: Uint8Array): Promise<void> {
    // Whether it fits or not, the next upload of this file shall begin anew.
    await this.#forget();
    checkDigest(this.#file, this.offset, this.#digester.digest(), digest);
  }

  async letGo(keep: boolean): Promise<void> {
    if (!keep) await this.#forget();
  }
}
