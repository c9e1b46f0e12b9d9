import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { askQuickly } from './ask.ts';
import { outputOf } from './output.ts';

/**
 * The answer of a HEAD as the SDK would give it, and 'absent' for a 404; undefined where the SDK must ask.
 * @param headers names in lower case
 */
export async function quickHead(
  client: S3Client,
  where: { readonly bucket: string; readonly key: string },
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<HeadObjectCommandOutput | 'absent' | undefined> {
  return await askQuickly(client, { kind: 'head', method: 'HEAD', ...where, headers }, signal, (answer) => {
    if (answer.statusCode !== 200 && answer.statusCode !== 404) return undefined;
    answer.resume();
    return answer.statusCode === 404 ? 'absent' : outputOf(answer.headers);
  });
}
