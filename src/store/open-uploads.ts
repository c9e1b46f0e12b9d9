import type { FileEntry } from '../model/file-entry.ts';
import type { Upload } from './store.ts';
import { StoreUpload, type UploadBody } from './store-upload.ts';
import { uploadBusy } from './store-errors.ts';
import { versionKey } from './version-key.ts';

type InTurn = (file: FileEntry, publish: () => Promise<void>) => Promise<void>;

/** The uploads of one store that are under way in this process: at most one of each version of a file. */
export class OpenUploads {
  readonly #uploads = new Map<string, Promise<Upload>>();
  readonly #inTurn: InTurn;

  /** @param inTurn runs the publication of a file when it is its turn. Default: at once. */
  constructor(inTurn: InTurn = (_file, publish) => publish()) {
    this.#inTurn = inTurn;
  }

  /**
   * Opens an upload whose bytes go where `start` says.
   * @throws IsyncError BUSY (retryable) while another one of this version is open
   */
  async begin(file: FileEntry, start: () => Promise<UploadBody>): Promise<Upload> {
    const key = versionKey(file);
    if (this.#uploads.has(key)) throw uploadBusy(file);
    const upload = start().then(
      (body) =>
        new StoreUpload(file, body, {
          inTurn: (publish) => this.#inTurn(file, publish),
          ended: () => void this.#uploads.delete(key),
        }),
    );
    this.#uploads.set(key, upload);
    try {
      return await upload;
    } catch (error) {
      this.#uploads.delete(key);
      throw error;
    }
  }

  /** Suspends all, and resolves when they have ended. A rejection was told to its caller. */
  async suspend(): Promise<void> {
    await Promise.allSettled([...this.#uploads.values()].map(async (upload) => (await upload).suspend()));
  }
}
