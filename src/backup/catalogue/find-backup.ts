import { IsyncError } from '../../model/isync-error.ts';
import type { Catalogue, KnownBackup } from './catalogue.ts';
import { chainFault } from './chain-fault.ts';

/** Which backup somebody asks for. */
export type WhichBackup =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'latest' }
  /** The newest of those that are of this time or an earlier one, in ms since the epoch. */
  | { readonly kind: 'at'; readonly atMs: number };

export interface FoundBackup {
  readonly backup: KnownBackup;
  /** Newer ones that would have been it, and are not whole: to be told. */
  readonly passedOver: readonly { readonly name: string; readonly version: number; readonly fault: string }[];
}

/**
 * The backup that is asked for. By name also one that is not whole, of which something may be had; else the newest that is whole, as far as
 * a listing tells. Order is that of versions.
 * @throws IsyncError USAGE where there is none
 */
export function findBackup(catalogue: Catalogue, which: WhichBackup): FoundBackup {
  const { backups } = catalogue;
  if (which.kind === 'name') {
    const backup = backups.find(({ manifest }) => manifest.name === which.name);
    if (backup !== undefined) return { backup, passedOver: [] };
    throw none(`there is no backup ${which.name}`);
  }
  const asked =
    which.kind === 'latest' ? backups : backups.filter(({ manifest }) => manifest.startedMs <= which.atMs);
  const passedOver: FoundBackup['passedOver'][number][] = [];
  for (const backup of asked) {
    const fault = chainFault(catalogue, backup.manifest);
    if (fault === undefined) return { backup, passedOver };
    const { name, version } = backup.manifest;
    passedOver.push({ name, version, fault });
  }
  const [newest] = passedOver;
  if (newest !== undefined)
    throw new IsyncError('BACKUP_DAMAGED', `no backup is whole; of ${newest.name}: ${newest.fault}`, {
      hint: 'Asked for by its name, one that is not whole gives what it has.',
    });
  throw none(which.kind === 'latest' ? 'there is no backup' : 'no backup is as old as that');
}

function none(message: string): IsyncError {
  return new IsyncError('USAGE', message, { hint: 'isync backup list has the names of all.' });
}
