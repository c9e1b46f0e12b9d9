import { existsSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { defaultDevice } from '../../config/default-device.ts';
import { type ReceiverPlace, showReceiverPlace } from '../../config/place-address.ts';
import type { PlaceConfig } from '../../config/schemas/ls.ts';
import { type S3StoreAddress, showAddress, type StoreAddress } from '../../config/target-address.ts';
import type { Reader } from '../../store/reader.ts';
import { openStoreReader } from '../../fetch/store-reader.ts';
import { retrying, type RetryPolicy } from '../../flow/retry.ts';
import { factsOf } from '../../model/error-table.ts';
import { isDeviceName } from '../../model/device-name.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { firstSegment, parseRelPath, type RelPath } from '../../model/rel-path.ts';
import type { Store } from '../../store/store.ts';
import { openReceiverToRead } from '../locations/receiver.ts';
import { openStore } from '../locations/table.ts';
import type { StoreUse } from '../locations/store-use.ts';
import { ONE_SHOT_RETRY_MS } from '../open-target.ts';
import { realPlace } from '../real-place.ts';

/** A place of a store that is open to be read. */
export interface OpenPlace extends AsyncDisposable {
  readonly reader: Reader;
  /** As a user would name it. */
  readonly name: string;
  /** Segments from the store down to it: 0 is the store, 1 a device, 2 a directory, and more what is in one. */
  readonly depth: number;
  /** Folder of the store; undefined where it is none. */
  readonly folder: string | undefined;
  readonly retry: RetryPolicy;
}

/** A store, and where in it the place is. */
interface Found {
  readonly store: Store;
  readonly place: RelPath | '';
  readonly folder: string | undefined;
}

/**
 * Opens the place that a user has named, which may lie anywhere in a store. The store is known by the id that is kept in it; without
 * one, the place is taken for the store itself.
 * @throws IsyncError STORE_MISSING, or what a bucket can't be opened for; the signal's reason
 */
export async function openPlace(config: PlaceConfig, use: Omit<StoreUse, 'readOnly'>): Promise<OpenPlace> {
  const { from, retryFor = ONE_SHOT_RETRY_MS } = config;
  const retry = { giveUpAfterMs: retryFor };
  if (from.kind === 'receiver') return await openAtReceiver(from, config, { ...use, retry });
  const { signal } = use;
  // A refusal is not tried again, also where somebody could mend it meanwhile: the keys may be for less than the whole store.
  const trying = async <T>(attempt: () => Promise<T>): Promise<T> =>
    retrying(attempt, retry, { signal, isRetryable: ({ code }) => factsOf(code).retryable === true });
  const open = async (address: StoreAddress): Promise<Store> =>
    trying(() => openStore(address, config, { ...use, readOnly: true }));
  const { store, place, folder } =
    from.kind === 'folder'
      ? await findFolder(from.path, open)
      : await findPrefix(from, open, (store) => trying(() => isStore(store, signal)));
  const reader = await openStoreReader(store, place, { signal });
  return {
    reader,
    name: showAddress(from),
    depth: depthOf(place),
    folder,
    retry,
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** Files of a few KiB that fill 100 Mbit/s over 100 ms twice over. */
const FILES_AT_ONCE_FROM_RECEIVER = 1024;

/** A receiver lets nobody see more than one device: the one that is named, else the one that this machine sends as. */
async function openAtReceiver(
  from: ReceiverPlace,
  config: PlaceConfig,
  { signal, cut, log, retry }: Omit<StoreUse, 'readOnly'> & { readonly retry: RetryPolicy },
): Promise<OpenPlace> {
  const { place } = from;
  const device = place === '' ? ownDevice() : firstSegment(place);
  const store = await openReceiverToRead(from, config, { device, retry, signal, cut, log });
  const reader = await openStoreReader(store, place, { signal, filesAtOnce: FILES_AT_ONCE_FROM_RECEIVER });
  return {
    reader,
    name: showReceiverPlace(from),
    depth: depthOf(place),
    folder: undefined,
    retry,
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

function ownDevice(): string {
  const device = defaultDevice(hostname());
  if (isDeviceName(device)) return device;
  throw new IsyncError('USAGE', 'the host name of this machine is no name of a device', {
    hint: 'Name the device: wss://HOST:PORT/DEVICE',
  });
}

function depthOf(place: RelPath | ''): number {
  return place === '' ? 0 : place.split('/').length;
}

async function findFolder(path: string, open: (at: StoreAddress) => Promise<Store>): Promise<Found> {
  const named = storeAbove(path) ?? (isFile(path) ? dirname(path) : path);
  // Where a symlink leads into a store. Below a store none is followed.
  const real = await realPlace(named);
  const above = storeAbove(real);
  const root = above === undefined || above === real ? named : above;
  const below = join(root === named ? '' : relative(root, real), relative(named, path));
  const place = below === '.' ? '' : parseRelPath(below);
  return { store: await open({ kind: 'folder', path: root }), place, folder: root };
}

/** The outermost folder at or above `path` that is a store: further in, a device may have put what looks like one. */
function storeAbove(path: string): string | undefined {
  let outermost: string | undefined;
  for (let folder = path; ; folder = dirname(folder)) {
    if (existsSync(join(folder, OWN_FOLDER, 'store-id'))) outermost = folder;
    if (folder === dirname(folder)) return outermost;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The outermost prefix at or above that of the address that is a store: as with folders. */
async function findPrefix(
  address: S3StoreAddress,
  open: (at: StoreAddress) => Promise<Store>,
  isStore: (store: Store) => Promise<boolean>,
): Promise<Found> {
  const segments = address.prefix === '' ? [] : address.prefix.split('/');
  for (let length = 0; length <= segments.length; length++) {
    const prefix = segments.slice(0, length).join('/');
    const store = await unlessRefused(async () => {
      const opened = await open({ ...address, prefix });
      try {
        if (await isStore(opened)) return opened;
      } catch (error) {
        await opened[Symbol.asyncDispose]();
        throw error;
      }
      await opened[Symbol.asyncDispose]();
      return undefined;
    });
    if (store === undefined) continue;
    const below = segments.slice(length).join('/');
    return { store, place: below === '' ? '' : parseRelPath(below), folder: undefined };
  }
  return { store: await open(address), place: '', folder: undefined };
}

async function isStore(store: Store, signal: AbortSignal): Promise<boolean> {
  return (await store.identity({ signal })).id !== undefined;
}

/** Undefined where the keys are for less than that: for the place, say, and not for all of the store. */
async function unlessRefused<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'STORE_REFUSED') return undefined;
    throw error;
  }
}
