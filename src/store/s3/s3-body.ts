import type { UploadBody } from '../store-upload.ts';

/** The bytes of an upload to a bucket. */
export interface S3Body extends UploadBody {
  /** Resolves when there is memory for the first bytes; `write` waits for it all the same. */
  ready(): Promise<void>;
}
