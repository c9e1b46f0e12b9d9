import type { SenderConfig } from '../../config/schemas/sender.ts';
import type { FolderAddress } from '../../config/target-address.ts';
import type { Store } from '../../store/store.ts';
import { ownTarget, untilOpen, type OpenTarget, type Shared, type TargetUse } from '../own-target.ts';
import { checkSeparate } from '../separate-folders.ts';
import type { StoreSettings, StoreUse } from './store-use.ts';

/** Opens a folder as a target. It is locked against other senders of the device, unless it is only read. */
export async function openFolderTarget(
  to: FolderAddress,
  { root }: SenderConfig,
  shared: Shared,
  { mode, signal, log }: TargetUse,
): Promise<OpenTarget> {
  await checkSeparate(root, to.path);
  const { openFileStore } = await import('../../store/file/file-store.ts');
  if (mode === 'read') return ownTarget(await openFileStore(to.path, { readOnly: true }), shared);
  const store = await openFileStore(to.path);
  try {
    const { lockDevice } = await import('../../store/file/device-lock.ts');
    const onWait = (holder: string) =>
      log.warn('another isync may send to this folder: waiting for a sign of life', { holder });
    const lock = await untilOpen(
      () => lockDevice(to.path, shared.device, { signal, onWait }),
      shared,
      signal,
    );
    return await ownTarget(store, { ...shared, fenced: lock.lost }, lock);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** Opens a folder as a store. It keeps the rule of immutability itself, and between processes too. */
export async function openFolderStore(
  at: FolderAddress,
  settings: StoreSettings,
  { readOnly }: StoreUse,
): Promise<Store> {
  const { openFileStore } = await import('../../store/file/file-store.ts');
  const store = await openFileStore(at.path, {
    readOnly,
    readsDirectly: readOnly,
    immutable: settings.immutable,
    minFreeBytes: settings.minFree,
    maxStagedBytes: settings.quota,
    recordSeals: settings.recordSeals,
  });
  const { withLimits } = await import('./store-rules.ts');
  return withLimits(store, settings);
}
