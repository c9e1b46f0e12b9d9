/** A multipart upload, as the server knows it. */
export interface UploadKey {
  readonly key: string;
  readonly uploadId: string;
}
