import type { CopyObjectResult, S3Client } from '@aws-sdk/client-s3';
import type { ObjectSettings } from '../object-attributes.ts';
import { askQuickly, shortText } from './ask.ts';
import { settingsHeaders } from './put.ts';

export interface QuickCopy {
  /** Of the copy. */
  readonly bucket: string;
  readonly key: string;
  readonly settings: ObjectSettings;
  /** What the SDK sends, names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** What the server tells of a copy that it has made; undefined where the SDK must ask for it. */
export async function quickCopy(
  client: S3Client,
  { bucket, key, settings, headers }: QuickCopy,
  signal: AbortSignal | undefined,
): Promise<CopyObjectResult | undefined> {
  const request = {
    kind: 'copy',
    method: 'PUT',
    bucket,
    key,
    headers: { ...settingsHeaders(settings), ...headers },
  } as const;
  return await askQuickly(client, request, signal, async (answer) => {
    if (answer.statusCode !== 200) return undefined;
    // An error may come after the status, as its body.
    const text = (await shortText(answer)) ?? '';
    const etag = /<CopyObjectResult\b[^]*<ETag>(?:&quot;|&#34;|")?([\w-]+)(?:&quot;|&#34;|")?<\/ETag>/.exec(
      text,
    )?.[1];
    return etag === undefined ? undefined : { ETag: etag, LastModified: timeOf(text) };
  });
}

function timeOf(text: string): Date | undefined {
  const time = new Date(/<LastModified>([\dTZ:.-]+)<\/LastModified>/.exec(text)?.[1] ?? '');
  return Number.isNaN(time.getTime()) ? undefined : time;
}
