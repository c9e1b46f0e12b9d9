import { GetObjectTaggingCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import type { LookOptions } from './look.ts';
import type { Bucket, RequestOptions } from './requests.ts';

/** The tags of an object as it is now. */
export async function getObjectTags(
  bucket: Bucket,
  key: string,
  options: Omit<LookOptions, 'ifNoneMatch'> = {},
): Promise<Readonly<Record<string, string>>> {
  const { bucketOwner, requestPayer } = options;
  const command = new GetObjectTaggingCommand({
    Bucket: bucket.name,
    Key: key,
    ...(bucketOwner !== undefined && { ExpectedBucketOwner: bucketOwner }),
    ...(requestPayer === true && { RequestPayer: 'requester' as const }),
  });
  const { TagSet = [] } = await bucket.send(options, (client, sending) => client.send(command, sending));
  return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** Gives an object just these tags. */
export async function putObjectTags(
  bucket: Bucket,
  key: string,
  tags: Readonly<Record<string, string>>,
  request: RequestOptions = {},
): Promise<void> {
  const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  const command = new PutObjectTaggingCommand({ Bucket: bucket.name, Key: key, Tagging: { TagSet } });
  await bucket.send(request, (client, sending) => client.send(command, sending));
}
