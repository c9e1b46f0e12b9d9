import { IsyncError } from '../model/isync-error.ts';

/** As S3 sorts keys: by their UTF-8 bytes, which differ from UTF-16 beyond U+FFFF. */
export function comparesBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

/** A text that sorts before the key, and behind which few others come: a listing that starts after it begins with the key. */
export function shortlyBefore(key: string): string {
  return key.replace(/.$/su, '');
}

/** Directory buckets of AWS list like this; and a listing that repeats itself might never end. */
export function outOfOrder(bucket: string, key: string): IsyncError {
  return new IsyncError('STORE_FAILED', `the listing of s3://${bucket} is not in the order of its keys`, {
    path: key,
    retryable: false,
    hint: 'Nothing can be compared with such a store.',
  });
}

/**
 * Passes a listing on, as long as it is in the order of its keys and each begins with `prefix`.
 * @throws IsyncError STORE_FAILED, not retryable, where it is not
 */
export async function* inOrder<Listed extends { readonly key: string }>(
  listing: AsyncIterable<Listed>,
  bucket: string,
  prefix: string,
): AsyncGenerator<Listed> {
  let last: string | undefined;
  for await (const listed of listing) {
    const { key } = listed;
    if (!key.startsWith(prefix) || (last !== undefined && !comparesBefore(last, key)))
      throw outOfOrder(bucket, key);
    last = key;
    yield listed;
  }
}
