import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { fillAll, type FillCounts, noCounts } from '../../mirror/bulk/fill-all.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { MOST_LISTED, openBulkMirror, toTheEnd } from './bulk-mirror.ts';
import { candidatesOf } from './candidates.ts';
import { openFailedKeys } from './failed-keys.ts';

/** `isync mirror fill`. */
export async function fill(given: LastingWork<MirrorConfig>): Promise<ExitCode> {
  const { config, output, screen, log, signal } = given;
  await using mirror = await openBulkMirror(given);
  const candidates = candidatesOf(config, config.changed, mirror, given);
  using failedKeys = openFailedKeys(config.failed, config.list);
  const counts = noCounts();
  const failures: { readonly key: string; readonly message: string }[] = [];
  screen.showProgress(() => ({ files: keysOf(counts), bytes: counts.bytes }));
  const run = async (): Promise<void> =>
    await fillAll(
      {
        ...mirror,
        candidates,
        changed: config.changed,
        dryRun: config.dryRun,
        most: config.maxFills,
        signal,
        observer: {
          filled: (key, bytes, replaced) => {
            if (config.dryRun)
              output.text(`would ${replaced ? 'replace' : 'fill'} ${printable(key)}${sized(bytes)}`);
            else log.debug('filled', { key, bytes, replaced });
          },
          untouched: (key) =>
            log.warn('it has changed at the origin, and in the bucket too: it is left alone', { key }),
          failed: (name, reason) => {
            failedKeys.add(name);
            if (failures.length < MOST_LISTED) failures.push({ key: name, message: reason });
            output.text(`failed ${printable(name)}: ${printable(reason)}`);
          },
        },
      },
      counts,
    );
  return await toTheEnd(given, mirror, run, {
    told: () => ({ ...counts, dryRun: config.dryRun, failures }),
    say: () => output.text(summaryLine(counts, config.dryRun)),
    hasProblems: () => counts.failed > 0,
  });
}

function keysOf({ filled, replaced, present, absent, unruled, untouched, failed }: FillCounts): number {
  return filled + replaced + present + absent + unruled + untouched + failed;
}

function sized(bytes: number | undefined): string {
  return bytes === undefined ? '' : ` (${formatBytes(bytes)})`;
}

function summaryLine(counts: FillCounts, dryRun: boolean): string {
  const { filled, replaced, bytes, present, absent, unruled, untouched, failed } = counts;
  const would = dryRun ? 'would be ' : '';
  return [
    `${formatCount(filled, 'object')} ${would}filled`,
    ...(replaced > 0 ? [`${replaced} ${would}replaced`] : []),
    formatBytes(bytes),
    `${present} there already`,
    ...(absent > 0 ? [`${absent} not at the origin`] : []),
    ...(unruled > 0 ? [`${unruled} of no rule`] : []),
    ...(untouched > 0 ? [`${untouched} changed in the bucket`] : []),
    `${failed} failed`,
  ].join(', ');
}
