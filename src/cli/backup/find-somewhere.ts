import type { KnownBackup } from '../../backup/catalogue/catalogue.ts';
import { chainFault } from '../../backup/catalogue/chain-fault.ts';
import { findBackup, type FoundBackup, type WhichBackup } from '../../backup/catalogue/find-backup.ts';
import type { BackupTarget } from '../../backup/target/target.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Look } from './catalogues.ts';

export interface FoundSomewhere {
  readonly target: BackupTarget;
  readonly backup: KnownBackup;
  /** Newer ones that would have been it, with why they are not. */
  readonly passedOver: readonly { readonly target: string; readonly name: string; readonly fault: string }[];
}

/**
 * The backup that is asked for, in the store that has it whole; of several, in the first of them. By time the newest of all stores.
 * @throws IsyncError USAGE, BACKUP_DAMAGED; that of a store, where none that answers has it
 */
export function findSomewhere(looks: readonly Look[], which: WhichBackup): FoundSomewhere {
  const found: (FoundBackup & { readonly target: BackupTarget; readonly isWhole: boolean })[] = [];
  const errors: IsyncError[] = [];
  for (const look of looks) {
    if ('error' in look) errors.push(look.error);
    else
      try {
        const one = findBackup(look.catalogue, which);
        const isWhole = chainFault(look.catalogue, one.backup.manifest) === undefined;
        found.push({ ...one, target: look.target, isWhole });
      } catch (error) {
        if (!(error instanceof IsyncError)) throw error;
        errors.push(error);
      }
  }
  const [best] = found.toSorted(
    (a, b) => Number(b.isWhole) - Number(a.isWhole) || b.backup.manifest.version - a.backup.manifest.version,
  );
  if (best !== undefined) return { ...best, passedOver: passedOverOf(found, best.backup) };
  // That a store does not answer, or has it damaged, tells more than that another one lacks it.
  const [error] = errors.toSorted((a, b) => Number(a.code === 'USAGE') - Number(b.code === 'USAGE'));
  throw error ?? new IsyncError('INTERNAL', 'a job without stores');
}

function passedOverOf(
  found: readonly (FoundBackup & { readonly target: BackupTarget })[],
  best: KnownBackup,
): FoundSomewhere['passedOver'] {
  return found.flatMap(({ target, passedOver }) =>
    passedOver
      .filter(({ version }) => version > best.manifest.version)
      .map(({ name, fault }) => ({ target: target.name, name, fault })),
  );
}
