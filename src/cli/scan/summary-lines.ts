import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import type { ScanSummary } from '../../sender/scan/scan-options.ts';

/** Problems that the summary for people lists; the log has all of them. */
const MAX_PROBLEMS_SHOWN = 20;

/** Returns `12 files, 3.4 MiB sent; 2 of 3 directories sealed; 1 problem`, and a line for each problem. */
export function summaryLines(summary: ScanSummary): string[] {
  const { problems, problemCount, directories } = summary;
  const sealed = directories.filter((directory) => directory.sealed).length;
  const parts = [
    `${formatCount(summary.files, 'file')}, ${formatBytes(summary.bytes)} sent`,
    `${sealed} of ${formatCount(directories.length, 'directory', 'directories')} sealed`,
    ...(problemCount > 0 ? [formatCount(problemCount, 'problem')] : []),
    ...(summary.ignored > 0 ? [`${formatCount(summary.ignored, 'file')} left alone (--ignore)`] : []),
    ...(summary.looseFiles > 0
      ? [`${formatCount(summary.looseFiles, 'file')} in the root itself not sent`]
      : []),
  ];
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN);
  const lines = shown.map(
    ({ path, code, message }) => `  ${printable(path)}: ${printable(message)} [${code}]`,
  );
  const more = problemCount - shown.length;
  return [parts.join('; '), ...lines, ...(more > 0 ? [`  and ${more} more`] : [])];
}
