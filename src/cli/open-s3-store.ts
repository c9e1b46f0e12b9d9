import type { S3Settings } from '../config/s3-settings.ts';
import { showStoreAddress, type StoreAddress } from '../config/target-address.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import { isLoopback } from '../http/listen-address.ts';
import { trustSystemCas } from './trust-system-cas.ts';

/**
 * The store at an s3:// address. The AWS SDK is loaded here and nowhere else: it takes longer to load than most
 * commands to run.
 * @throws IsyncError of the store: no such bucket, not let in, not reachable
 */
export async function openS3(
  address: Extract<StoreAddress, { kind: 's3' }>,
  settings: S3Settings,
  log: Log,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<Store> {
  const { s3Endpoint, s3PathStyle } = settings;
  if (s3Endpoint?.protocol === 'http:' && !isLoopback(s3Endpoint.hostname))
    log.warn('all content crosses the network in clear text; an https:// endpoint would hide it', {
      to: s3Endpoint.host,
    });
  if (s3Endpoint?.protocol !== 'http:') trustSystemCas();
  const { openS3Store } = await import('../store/s3/s3-store.ts');
  log.debug('opening the bucket', { address: showStoreAddress(address) });
  return openS3Store({
    readOnly,
    bucket: address.bucket,
    prefix: address.prefix,
    // Servers that are not AWS rarely have a host name for each bucket.
    pathStyle: s3PathStyle ?? s3Endpoint !== undefined,
    ...(s3Endpoint !== undefined && { endpoint: s3Endpoint.href }),
    ...(settings.s3Region !== undefined && { region: settings.s3Region }),
    ...(settings.s3Profile !== undefined && { profile: settings.s3Profile }),
    ...(settings.s3StorageClass !== undefined && { storageClass: settings.s3StorageClass }),
    ...(settings.s3Sse !== undefined && { sse: settings.s3Sse }),
    ...(settings.s3SseKmsKeyId !== undefined && { sseKmsKeyId: settings.s3SseKmsKeyId }),
    ...(settings.s3PartMemory !== undefined && { partBufferBytes: settings.s3PartMemory }),
    ...(settings.s3Tag !== undefined && { tags: settings.s3Tag }),
  });
}
