import type { SenderConfig } from '../../config/schemas/sender.ts';
import type { StoreAddress, TargetAddress } from '../../config/target-address.ts';
import type { Store } from '../../store/store.ts';
import type { OpenTarget, Shared, TargetUse } from '../own-target.ts';
import { openBucketStore, openBucketTarget } from './bucket.ts';
import { openFolderStore, openFolderTarget } from './folder.ts';
import { openReceiver } from './receiver.ts';
import type { StoreSettings, StoreUse } from './store-use.ts';

type Kind = TargetAddress['kind'];
type StoreKind = StoreAddress['kind'];
/** By kind, so that TypeScript knows that an address and its row belong together. */
type Addresses = { readonly [K in Kind]: Extract<TargetAddress, { readonly kind: K }> };

/** How each kind of address is opened, as the target of a sender; src/config/target-address.ts has their schemes. */
const TARGETS: {
  readonly [K in Kind]: (
    to: Addresses[K],
    config: SenderConfig,
    shared: Shared,
    use: TargetUse,
  ) => Promise<OpenTarget>;
} = { folder: openFolderTarget, s3: openBucketTarget, receiver: openReceiver };

/** The same as a store. */
const STORES: {
  readonly [K in StoreKind]: (at: Addresses[K], settings: StoreSettings, use: StoreUse) => Promise<Store>;
} = { folder: openFolderStore, s3: openBucketStore };

/** @throws IsyncError CONFIG_INVALID, ROOT_MISSING, STORE_MISSING, or what an S3 store can't be opened for */
export function openTargetAt<K extends Kind>(
  to: Addresses[K] & { readonly kind: K },
  config: SenderConfig,
  shared: Shared,
  use: TargetUse,
): Promise<OpenTarget> {
  return TARGETS[to.kind](to, config, shared, use);
}

/**
 * Opens a folder or a bucket, with the rules for what is kept there that `settings` have; the caller disposes it. A command's
 * `location(parseStoreAddress)` is such an address, also where its user said `store:NAME`.
 * @throws IsyncError STORE_MISSING, or what an S3 store can't be opened for; the signal's reason
 */
export function openStore<K extends StoreKind>(
  at: Addresses[K] & { readonly kind: K },
  settings: StoreSettings,
  use: StoreUse,
): Promise<Store> {
  return STORES[at.kind](at, settings, use);
}
