import { readText } from '../../config/read-text.ts';
import type { S3Settings } from '../../config/s3-settings.ts';
import type { ReceiveConfig } from '../../config/schemas/receive.ts';
import type { SenderConfig } from '../../config/schemas/sender.ts';
import { showAddress, type S3StoreAddress } from '../../config/target-address.ts';
import type { Store } from '../../store/store.ts';
import { isLoopback } from '../../http/listen-address.ts';
import {
  ownTarget,
  untilOpen,
  type OpenTarget,
  type Shared,
  type StoreUse,
  type TargetUse,
} from '../own-target.ts';
import { trustSystemCas } from '../trust-system-cas.ts';

/**
 * Files under way to a bucket at a time. A small file is a single request, so many at a time hide the latency. A large
 * file holds some of the store's part buffers.
 */
const FILES_AT_ONCE = { small: 64, large: 8 };
/**
 * How long a count of a device's bytes in a bucket holds, in ms. Other receivers may add to them, and counting takes a
 * request for every thousand files.
 */
const RECOUNT_MS = 3600 * 1000;

/** Opens a bucket as a target. */
export async function openBucketTarget(
  to: S3StoreAddress,
  config: SenderConfig,
  shared: Shared,
  use: TargetUse,
): Promise<OpenTarget> {
  const open = () => openS3(to, config, use, { readOnly: use.mode === 'read' });
  const store = await untilOpen(open, shared, use.signal);
  return ownTarget(store, { ...shared, most: FILES_AT_ONCE, signal: use.cut });
}

/** Opens a bucket as the store of a receiver. */
export async function openBucketStore(
  at: S3StoreAddress,
  config: ReceiveConfig,
  use: StoreUse,
): Promise<Store> {
  const [{ withLimits }, { withImmutable }] = await Promise.all([
    import('./receiver-rules.ts'),
    import('../../store/rules/immutable-store.ts'),
  ]);
  const store = await openS3(at, config, use);
  const ruled = config.immutable ? withImmutable(store) : store;
  return withLimits(ruled, config, { recountMs: RECOUNT_MS });
}

/**
 * Opens the store at an s3:// address. An option goes before what `stores:` says of the address. The AWS SDK is loaded
 * here and nowhere else: loading it takes longer than most commands run.
 * @throws IsyncError of the store: no such bucket, not let in, not reachable; the signal's reason
 */
async function openS3(
  address: S3StoreAddress,
  settings: S3Settings,
  { signal, cut, log }: StoreUse,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<Store> {
  const { access = {} } = address;
  const endpoint = settings.s3Endpoint ?? access.endpoint;
  if (endpoint?.protocol === 'http:' && !isLoopback(endpoint.hostname))
    log.warn('all content crosses the network in clear text; an https:// endpoint would hide it', {
      to: endpoint.host,
    });
  if (endpoint?.protocol !== 'http:' && access.ca === undefined) trustSystemCas();
  const { openS3Store } = await import('../../store/s3/s3-store.ts');
  log.debug('opening the bucket', { address: showAddress(address) });
  const options = {
    readOnly,
    bucket: address.bucket,
    prefix: address.prefix,
    endpoint: endpoint?.href,
    region: settings.s3Region ?? access.region,
    pathStyle: settings.s3PathStyle ?? access.pathStyle,
    profile: settings.s3Profile ?? access.profile,
    credentials: keysOf(settings, access),
    ca: access.ca === undefined ? undefined : readText(access.ca, 'the file of "ca"'),
    storageClass: settings.s3StorageClass,
    sse: settings.s3Sse,
    sseKmsKeyId: settings.s3SseKmsKeyId,
    partBufferBytes: settings.s3PartMemory,
    tags: settings.s3Tag,
    cut,
  };
  return openS3Store(options, { signal });
}

/** Returns the keys that `stores:` gives, unless an option names a profile in their place. */
function keysOf({ s3Profile }: S3Settings, { credentials }: NonNullable<S3StoreAddress['access']>) {
  if (credentials === undefined || s3Profile !== undefined) return undefined;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    accessKeyId: accessKeyId.reveal(),
    secretAccessKey: secretAccessKey.reveal(),
    sessionToken: sessionToken?.reveal(),
  };
}
