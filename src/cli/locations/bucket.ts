import { bucketSettings } from '../../config/bucket-settings.ts';
import type { SenderConfig } from '../../config/schemas/sender.ts';
import { showAddress, type S3StoreAddress } from '../../config/target-address.ts';
import { isLoopback } from '../../http/listen-address.ts';
import type { Store } from '../../store/store.ts';
import { ownTarget, untilOpen, type OpenTarget, type Shared, type TargetUse } from '../own-target.ts';
import { trustSystemCas } from '../trust-system-cas.ts';
import { accessOf } from '../../s3/access-of.ts';
import type { StoreSettings, StoreUse } from './store-use.ts';

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
  const open = () => openS3(to, config, { ...use, readOnly: use.mode === 'read' });
  const store = await untilOpen(open, shared, use.signal);
  return ownTarget(store, { ...shared, most: FILES_AT_ONCE, signal: use.cut });
}

/** Opens a bucket as a store. */
export async function openBucketStore(
  at: S3StoreAddress,
  settings: StoreSettings,
  use: StoreUse,
): Promise<Store> {
  const [{ withLimits }, { withImmutable }] = await Promise.all([
    import('./store-rules.ts'),
    import('../../store/rules/immutable-store.ts'),
  ]);
  const store = await openS3(at, settings, use);
  const ruled = settings.immutable === true ? withImmutable(store) : store;
  return withLimits(ruled, settings, { recountMs: RECOUNT_MS });
}

/**
 * Opens the store at an s3:// address. The AWS SDK is loaded here and nowhere else: loading it takes longer than most
 * commands run.
 * @throws IsyncError of the store: no such bucket, not let in, not reachable; the signal's reason
 */
async function openS3(
  address: S3StoreAddress,
  options: StoreSettings,
  { readOnly, signal, cut, log }: StoreUse,
): Promise<Store> {
  const settings = bucketSettings(address, options);
  const { endpoint, ca } = settings;
  if (endpoint?.protocol === 'http:' && !isLoopback(endpoint.hostname))
    log.warn('all content crosses the network in clear text; an https:// endpoint would hide it', {
      to: endpoint.host,
    });
  if (endpoint?.protocol !== 'http:' && ca === undefined) trustSystemCas();
  const { openS3Store } = await import('../../store/s3/s3-store.ts');
  log.debug('opening the bucket', { address: showAddress(address) });
  const { bucket, prefix } = address;
  const { storageClass, sse, sseKmsKeyId, tags } = settings;
  return openS3Store(
    {
      readOnly,
      bucket,
      prefix,
      ...accessOf(settings),
      storageClass,
      sse,
      sseKmsKeyId,
      tags,
      partBufferBytes: settings.partMemory,
      cut,
    },
    { signal },
  );
}
