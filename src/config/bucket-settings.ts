import type { S3Settings } from './s3-settings.ts';
import type { StoreAccess } from './store-access.ts';
import type { S3StoreAddress, TargetAddress } from './target-address.ts';

/**
 * Returns what is set for the bucket at `address`: an option goes before what `stores:` says of it. An option that names a
 * profile goes before keys, too, and one that names an encryption before its KMS key.
 */
export function bucketSettings({ access = {} }: S3StoreAddress, options: Partial<S3Settings>): StoreAccess {
  const { s3Profile, s3Sse } = options;
  return {
    endpoint: options.s3Endpoint ?? access.endpoint,
    region: options.s3Region ?? access.region,
    pathStyle: options.s3PathStyle ?? access.pathStyle,
    profile: s3Profile ?? access.profile,
    credentials: s3Profile === undefined ? access.credentials : undefined,
    ca: access.ca,
    storageClass: options.s3StorageClass ?? access.storageClass,
    sse: s3Sse ?? access.sse,
    sseKmsKeyId: options.s3SseKmsKeyId ?? (s3Sse === undefined ? access.sseKmsKeyId : undefined),
    partMemory: options.s3PartMemory ?? access.partMemory,
    tags: options.s3Tag ?? access.tags,
  };
}

const KEYS = [
  's3Endpoint',
  's3Region',
  's3PathStyle',
  's3Profile',
  's3StorageClass',
  's3Sse',
  's3SseKmsKeyId',
  's3PartMemory',
  's3Tag',
] as const satisfies readonly (keyof S3Settings)[];

/** Returns what is wrong with the options together; `place` is what the command calls its address. */
export function s3Faults(
  options: Partial<S3Settings>,
  address: TargetAddress,
  place: 'target' | 'store',
): { readonly key: string; readonly message: string }[] {
  if (address.kind !== 's3')
    return KEYS.filter((key) => options[key] !== undefined).map((key) => ({
      key,
      message: `is for an s3://BUCKET/PREFIX ${place} only`,
    }));
  if (options.s3SseKmsKeyId !== undefined && bucketSettings(address, options).sse !== 'aws:kms')
    return [{ key: 's3SseKmsKeyId', message: 'needs --s3-sse aws:kms as well' }];
  return [];
}
