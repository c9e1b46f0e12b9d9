import type { JudgedBackup } from '../rules/verdict.ts';
import type { TargetRecords, VerificationRecord } from '../state/job-state.ts';
import type { Catalogue, KnownBackup } from './catalogue.ts';
import { chainFault } from './chain-fault.ts';

/** How a backup of a target stands, by its listing and by what verifications have found. */
export interface Standing {
  readonly backup: KnownBackup;
  /** What is wrong with it, or with an archive that it needs; undefined: nothing that is known. */
  readonly fault: string | undefined;
  /** When a verification has found that, or nothing, in ms since the epoch; undefined: none has looked, or the listing alone tells it. */
  readonly verifiedMs: number | undefined;
  /** How deep it has looked. */
  readonly depth: VerificationRecord['depth'] | undefined;
}

/** The newest first. @param target its name */
export function standingsOf(
  catalogue: Catalogue,
  target: string,
  records: Pick<TargetRecords, 'verification'>,
): readonly Standing[] {
  return catalogue.backups.map((backup) => {
    const { manifest } = backup;
    const listed = chainFault(catalogue, manifest);
    if (listed !== undefined) return { backup, fault: listed, verifiedMs: undefined, depth: undefined };
    for (const { version } of manifest.needs.toReversed()) {
      const found = records.verification(target, version);
      if (found?.fault !== undefined)
        return { backup, fault: found.fault, verifiedMs: found.atMs, depth: found.depth };
    }
    const found = records.verification(target, manifest.version);
    return { backup, fault: undefined, verifiedMs: found?.atMs, depth: found?.depth };
  });
}

/** What the rule is asked about. */
export function judgedOf(standings: readonly Standing[]): JudgedBackup[] {
  return standings.map(({ backup: { manifest, mark }, fault }) => ({
    name: manifest.name,
    version: manifest.version,
    startedMs: manifest.startedMs,
    needs: manifest.needs.map(({ version }) => version),
    isMarked: mark !== undefined,
    isDamaged: fault !== undefined,
  }));
}

/** Whether some backup is damaged, and no newer one has passed a verification since that was found. */
export function isVerificationFailing(standings: readonly Standing[]): boolean {
  return standings.some(
    (damaged, index) =>
      damaged.fault !== undefined && !standings.slice(0, index).some((newer) => hasPassed(newer, damaged)),
  );
}

/** What reading has found is answered by reading alone. */
function hasPassed(
  newer: Standing,
  { verifiedMs: foundMs = -Infinity, depth = 'shallow' }: Standing,
): boolean {
  if (newer.fault !== undefined || newer.verifiedMs === undefined) return false;
  return newer.verifiedMs > foundMs && (depth === 'shallow' || newer.depth !== 'shallow');
}
