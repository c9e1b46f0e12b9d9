import { listObjects } from '../../s3/objects.ts';
import type { Bucket } from '../../s3/requests.ts';
import type { Candidate } from './candidate.ts';
import { PageWindow } from './page-window.ts';

/** Adds what the bucket has under each key, as far as a {@link PageWindow} tells. */
export async function* withKept(
  candidates: AsyncIterable<Candidate>,
  {
    bucket,
    prefix,
    signal,
  }: { readonly bucket: Bucket; readonly prefix: string; readonly signal: AbortSignal },
): AsyncGenerator<Candidate> {
  const window = new PageWindow({
    list: (startAfter) => listObjects(bucket, prefix, { signal, startAfter }),
    prefix,
    page: bucket.page,
  });
  for await (const candidate of candidates) {
    if (candidate.kind !== 'key' || candidate.kept !== 'unknown') yield candidate;
    else yield { ...candidate, kept: await window.at(prefix + candidate.key.key) };
  }
}
