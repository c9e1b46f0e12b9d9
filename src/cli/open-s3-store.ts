import { readText } from '../config/read-text.ts';
import type { S3Settings } from '../config/s3-settings.ts';
import { showStoreAddress, type S3StoreAddress } from '../config/target-address.ts';
import type { Log } from '../model/log.ts';
import type { Store } from '../store/store.ts';
import { isLoopback } from '../http/listen-address.ts';
import { trustSystemCas } from './trust-system-cas.ts';

/**
 * Opens the store at an s3:// address; a setting goes before what the address's entry in `stores:` says. The AWS SDK is
 * loaded here and nowhere else: it takes longer to load than most commands to run.
 * @throws IsyncError of the store: no such bucket, not let in, not reachable
 */
export async function openS3(
  address: S3StoreAddress,
  settings: S3Settings,
  log: Log,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<Store> {
  const { access = {} } = address;
  const endpoint = settings.s3Endpoint ?? access.endpoint;
  if (endpoint?.protocol === 'http:' && !isLoopback(endpoint.hostname))
    log.warn('all content crosses the network in clear text; an https:// endpoint would hide it', {
      to: endpoint.host,
    });
  if (endpoint?.protocol !== 'http:' && access.ca === undefined) trustSystemCas();
  const { openS3Store } = await import('../store/s3/s3-store.ts');
  log.debug('opening the bucket', { address: showStoreAddress(address) });
  return openS3Store({
    readOnly,
    bucket: address.bucket,
    prefix: address.prefix,
    endpoint: endpoint?.href,
    region: settings.s3Region ?? access.region,
    // Servers that are not AWS rarely have a host name for each bucket.
    pathStyle: settings.s3PathStyle ?? access.pathStyle ?? endpoint !== undefined,
    profile: settings.s3Profile ?? access.profile,
    ...keysOf(settings, access),
    ...(access.ca !== undefined && { ca: readText(access.ca, 'the file of "ca"') }),
    storageClass: settings.s3StorageClass,
    sse: settings.s3Sse,
    sseKmsKeyId: settings.s3SseKmsKeyId,
    partBufferBytes: settings.s3PartMemory,
    tags: settings.s3Tag,
  });
}

/** Reveals the keys of a store, unless a profile is named in their place. */
function keysOf({ s3Profile }: S3Settings, { credentials }: NonNullable<S3StoreAddress['access']>) {
  if (credentials === undefined || s3Profile !== undefined) return {};
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    credentials: {
      accessKeyId: accessKeyId.reveal(),
      secretAccessKey: secretAccessKey.reveal(),
      sessionToken: sessionToken?.reveal(),
    },
  };
}
