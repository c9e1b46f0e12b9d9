/**
 * The longest key of S3, in bytes of UTF-8; the stores that follow it have the same limit.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
 */
export const MAX_KEY_BYTES = 1024;
