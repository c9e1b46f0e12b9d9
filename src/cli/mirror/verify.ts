import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { noVerifyCounts, verifyAll, type Finding, type VerifyCounts } from '../../mirror/bulk/verify-all.ts';
import type { ErrorCode } from '../../model/isync-error.ts';
import type { Problem } from '../../model/problem.ts';
import { printable } from '../../observe/printable.ts';
import { formatCount } from '../../observe/units.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { MOST_LISTED, openBulkMirror, toTheEnd } from './bulk-mirror.ts';
import { candidatesOf } from './candidates.ts';
import { openFailedKeys } from './failed-keys.ts';

const CODES: Readonly<Record<Finding['kind'], ErrorCode>> = {
  missing: 'MISSING',
  different: 'DIFFERENT',
  failed: 'FILE_UNREADABLE',
};

/** `isync mirror verify`. */
export async function verify(given: LastingWork<MirrorConfig>): Promise<ExitCode> {
  const { config, output, screen, signal } = given;
  await using mirror = await openBulkMirror(given);
  const candidates = candidatesOf(config, true, mirror, given);
  using failedKeys = openFailedKeys(config.failed, config.list);
  const counts = noVerifyCounts();
  const differences: Problem[] = [];
  screen.showProgress(() => ({ files: counts.keys, bytes: 0 }));
  const onFinding = ({ kind, name, reason }: Finding): void => {
    failedKeys.add(name);
    if (differences.length < MOST_LISTED)
      differences.push({ path: name, code: CODES[kind], message: reason });
    output.text(
      kind === 'missing' ? `missing ${printable(name)}` : `${kind} ${printable(name)}: ${printable(reason)}`,
    );
  };
  const run = async (): Promise<void> =>
    await verifyAll({ ...mirror, candidates, most: config.maxFills, signal, onFinding }, counts);
  return await toTheEnd(given, mirror, run, {
    told: () => ({ ...counts, differences }),
    say: () => {
      output.text(summaryLine(counts));
      if (provesNothing(counts)) output.text('Nothing was compared: does the list name keys of this mirror?');
    },
    hasProblems: () => counts.missing + counts.different + counts.failed > 0 || provesNothing(counts),
  });
}

/** There were keys, and of none of them anything could be said: another list, or another config, was meant. */
function provesNothing({ keys, absent, unruled }: VerifyCounts): boolean {
  return keys > 0 && absent + unruled === keys;
}

function summaryLine(counts: VerifyCounts): string {
  const { keys, missing, different, failed, absent, unruled } = counts;
  const { sameDigest, sameEtag, sameSize, onlyThere } = counts;
  return [
    `${formatCount(keys, 'key')}: ${sameDigest} the same by MD5`,
    `${sameEtag} by ETag`,
    `${sameSize} by size alone`,
    ...(onlyThere > 0 ? [`${onlyThere} there, nothing to compare`] : []),
    `${missing} missing`,
    `${different} different`,
    ...(absent > 0 ? [`${absent} not at the origin`] : []),
    ...(unruled > 0 ? [`${unruled} of no rule`] : []),
    `${failed} failed`,
  ].join(', ');
}
