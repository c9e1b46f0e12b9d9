import type { StorageClass } from '@aws-sdk/client-s3';
import type { ObjectSettings } from './access.ts';

/** What an object shall be like. */
export interface ObjectAttributes {
  readonly metadata: Record<string, string>;
}

/** What the requests that make an object have in common. */
export function toInput({ metadata }: ObjectAttributes, settings: ObjectSettings) {
  const { storageClass, sse, sseKmsKeyId, tags } = settings;
  return {
    Metadata: metadata,
    ...(storageClass !== undefined && isStorageClass(storageClass) && { StorageClass: storageClass }),
    ...(sse !== undefined && { ServerSideEncryption: sse }),
    ...(sseKmsKeyId !== undefined && { SSEKMSKeyId: sseKmsKeyId }),
    ...(tags !== undefined && { Tagging: new URLSearchParams(tags).toString() }),
  };
}

/** Servers have classes of their own, so the SDK's list is not the last word. */
function isStorageClass(name: string): name is StorageClass {
  return name !== '';
}
