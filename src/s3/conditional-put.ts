import type { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { bare, quoted } from './answers.ts';
import { isNoSuchKey, nameOf, statusOf } from './errors.ts';
import { type ObjectAttributes, toInput } from './object-attributes.ts';
import type { Body, PutOptions, Stored } from './objects.ts';
import { quickPut } from './quick/put.ts';
import type { Bucket } from './requests.ts';

/** What must be true of a key for an object to be put there. */
export type PutCondition =
  /** It is free. */
  | { readonly kind: 'absent' }
  /** It has the version with this ETag, without quotes. `isBare`: sent so, too, as Ceph compares it (16.2). */
  | { readonly kind: 'etag'; readonly etag: string; readonly isBare?: true };

/** Bytes that can not be sent a second time: the SDK does not try again. */
export interface StreamedBody {
  /** Is destroyed when the request has ended. */
  readonly stream: Readable;
  readonly size: number;
  /** MD5 of the bytes, base64. */
  readonly md5: string;
}

export type ConditionalPut =
  | Stored
  /** The condition does not hold. */
  | 'refused'
  /** Something else has changed the key at the same time: nobody knows whether the condition holds. */
  | 'conflict'
  /** The server says that it does not know the condition. Some do not know it, and do not say so. */
  | 'unsupported';

/** Puts a whole object, of at most 5 GiB, on a condition. Nothing was put unless it resolves to {@link Stored}. */
export async function putOnCondition(
  bucket: Bucket,
  key: string,
  body: Body | StreamedBody,
  condition: PutCondition | undefined,
  attributes: ObjectAttributes,
  request: PutOptions = {},
): Promise<ConditionalPut> {
  const stream = 'stream' in body ? body.stream : undefined;
  const command = new PutObjectCommand({
    Bucket: bucket.name,
    Key: key,
    Body: 'stream' in body ? body.stream : body.bytes,
    ContentLength: 'stream' in body ? body.size : body.bytes.length,
    ContentMD5: body.md5,
    ...conditionInput(condition),
    ...toInput(attributes),
  });
  try {
    return await bucket.send(request, async (client, sending) => {
      const ifAbsent = condition?.kind === 'absent';
      const isQuick = request.isQuick === true && (ifAbsent || condition === undefined);
      if (isQuick && 'bytes' in body) {
        const given = { bucket: bucket.name, key, ...body, attributes, ifAbsent };
        const quick = await quickPut(client, given, sending?.abortSignal);
        if (quick !== undefined) return quick === 'in use' ? 'refused' : quick;
      }
      try {
        const { ETag } = await client.send(command, sending);
        return { etag: bare(ETag) };
      } catch (error) {
        const outcome = condition && outcomeOf(error);
        if (outcome === undefined) throw error;
        return outcome;
      }
    });
  } finally {
    stream?.destroy();
  }
}

/** A condition as requests that make an object name it. */
export function conditionInput(condition: PutCondition | undefined) {
  return {
    ...(condition?.kind === 'absent' && { IfNoneMatch: '*' }),
    ...(condition?.kind === 'etag' && {
      IfMatch: condition.isBare === true ? condition.etag : quoted(condition.etag),
    }),
  };
}

/**
 * What a server says of a condition; undefined where it says something else.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function outcomeOf(error: unknown): 'refused' | 'conflict' | 'unsupported' | undefined {
  const [status, name] = [statusOf(error), nameOf(error)];
  if (status === 412) return 'refused';
  // The version that was to be replaced is gone.
  if (isNoSuchKey(error)) return 'refused';
  if (status === 409) return 'conflict';
  if (status === 501 || (status === 400 && /^(InvalidArgument|InvalidRequest|NotImplemented)$/.test(name)))
    return 'unsupported';
  return undefined;
}
