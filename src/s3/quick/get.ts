import type { S3Client } from '@aws-sdk/client-s3';
import type { GetAnswer } from '../content.ts';
import { askQuickly } from './ask.ts';
import { outputOf } from './output.ts';
import { quickReadsOf } from './reads.ts';
import { quickWhole, type WholeSizes } from './whole.ts';

/**
 * The answer of a GET as the SDK would give it, for a whole object without checksums, which the SDK alone compares; 'same' where a
 * condition among the headers says so; undefined where the SDK must ask. A body that is a stream must be read or destroyed; with
 * `sizes` it may be a buffer, or left out.
 * @param headers names in lower case
 */
export async function quickGet(
  client: S3Client,
  where: { readonly bucket: string; readonly key: string },
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
  sizes?: WholeSizes,
): Promise<GetAnswer | 'same' | undefined> {
  const reads = quickReadsOf(client);
  if (sizes !== undefined && reads !== undefined) {
    const read = await quickWhole(reads, where, headers, sizes, signal);
    if (read !== 'between') return read;
  }
  return await askQuickly(client, { kind: 'get', method: 'GET', ...where, headers }, signal, (answer) => {
    if (answer.statusCode === 304) {
      answer.resume();
      return 'same';
    }
    if (answer.statusCode !== 200) return undefined;
    if (Object.keys(answer.headers).some((name) => name.startsWith('x-amz-checksum-'))) return undefined;
    return { ...outputOf(answer.headers), Body: answer };
  });
}
