import type { Scavenger } from '../../../flow/scavenger.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { ObjectContent } from '../../../s3/content.ts';

/**
 * All bytes of a content, which is disposed of.
 * @param etag of the version that they must be of: not every server heeds a condition
 * @throws IsyncError FILE_CHANGED, STORE_FAILED, both retryable
 */
export async function readExactly(
  content: ObjectContent,
  { etag, length }: { readonly etag: string; readonly length: number },
  scavenger: Scavenger,
): Promise<Buffer> {
  using coming = content;
  if (coming.etag !== etag)
    throw new IsyncError('FILE_CHANGED', 'the object was replaced meanwhile', { retryable: true });
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  for await (const piece of coming.bytes) {
    if (filled + piece.length > length) throw otherLength(length);
    bytes.set(piece, filled);
    filled += piece.length;
    scavenger.freed(piece.length);
  }
  if (filled !== length) throw otherLength(length);
  return bytes;
}

function otherLength(length: number): IsyncError {
  return new IsyncError(
    'STORE_FAILED',
    `the source gives other bytes than the ${length} that were asked for`,
    {
      retryable: true,
    },
  );
}
