/**
 * From 3 characters, as every store wants it, to the 255 of the oldest buckets of AWS, which have capitals and underscores too.
 * No ARN, which the SDK would take for one of something else.
 */
const BUCKET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$/;

/** Whether `text` could name a bucket of any store: it becomes part of a host or a URL. */
export function isBucketName(text: string): boolean {
  return BUCKET_NAME.test(text);
}
