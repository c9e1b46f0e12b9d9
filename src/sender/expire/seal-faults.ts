import { IsyncError } from '../../model/isync-error.ts';
import { sealFault, type DataDirectory } from '../../scanner/data-directory.ts';
import type { SealRecord } from '../../scanner/seal-record.ts';
import { otherStore } from '../other-store.ts';
import type { Survey } from './survey.ts';

/** A seal that says all that has to be known of a directory before it may go. */
export type FullSeal = SealRecord & { readonly store: string; readonly sentAs: string };

/**
 * The seal of a directory, or why it does not stand for it at this store.
 * @throws IsyncError OTHER_STORE where the directory was sealed at another store, or for another device
 */
export function sealFor(
  directory: DataDirectory,
  store: string,
  device: string,
): FullSeal | { readonly fault: string } {
  const record = directory.seal?.record;
  if (record === undefined) return { fault: `its finished.watch holds no record: ${AGAIN}` };
  const fault = sealFault(directory, undefined, undefined);
  if (fault !== undefined) return { fault: `its finished.watch does not stand for it: ${fault}` };
  if (record.store === undefined || record.sentAs === undefined)
    return { fault: `its finished.watch does not say which store has it: ${AGAIN}` };
  if (record.store !== store) throw otherStore(directory.name);
  if (record.sentAs !== device)
    throw new IsyncError(
      'OTHER_STORE',
      `${directory.name} was sent as the device "${record.sentAs}", and the target is asked as "${device}"`,
      { path: directory.name, hint: 'Give the --device of the scan that has sent it.' },
    );
  return { ...record, store: record.store, sentAs: record.sentAs };
}

const AGAIN = 'remove it, and isync scan writes another one';

/** Why something in the directory is newer than its seal; undefined where nothing is. Files may have been deleted since. */
export function newerFault(
  { sealPrint, sealedFiles, youngest }: Survey,
  { fingerprint, finished, files }: SealRecord,
): { readonly path: string; readonly message: string } | undefined {
  if (sealPrint === fingerprint || youngest === undefined) return undefined;
  // Those that a scan left alone, by rules that it has no more.
  if (sealedFiles > files)
    return { path: youngest.path, message: 'is in a directory that holds more files than were sealed' };
  if (youngest.ms <= Date.parse(finished)) return undefined;
  return { path: youngest.path, message: 'is newer than the seal of its directory' };
}
