import { expireSchema } from '../config/schemas/expire.ts';
import { ignorePatterns } from '../config/schemas/sender.ts';
import { showAddress } from '../config/target-address.ts';
import { createIgnoreRule } from '../scanner/ignore-rule.ts';
import { printable } from '../observe/printable.ts';
import { formatBytes, formatCount } from '../observe/units.ts';
import type { ExpiredDirectory, ExpireSummary } from '../sender/expire/expire-options.ts';
import { expire } from '../sender/expire/expire.ts';
import { whyShort } from '../sender/expire/why-short.ts';
import { EXIT } from './exit-codes.ts';
import { FINISHING, lastingCommand } from './lasting-command.ts';
import { openTarget } from './open-target.ts';

export const runExpire = lastingCommand(expireSchema, FINISHING, async (given) => {
  const { config, output, screen, log, signal, cut } = given;
  const seen = { files: 0, bytes: 0 };
  screen.showProgress(() => seen);
  await using opened = await openTarget(config, { mode: 'read', endsByItself: true, signal, cut, log });
  const { dryRun } = config;
  const { summary, failure } = await expire({
    root: config.root,
    target: opened.target,
    tag: config.tag,
    ignore: createIgnoreRule(ignorePatterns(config)),
    newest: config.newest,
    keepMs: config.keep,
    minFree: config.minFree,
    keepAtLeastMs: config.keepAtLeast,
    maxDelete: config.maxDelete,
    dryRun,
    readBack: config.readBack,
    targetName: showAddress(config.to),
    signal,
    observer: {
      compared(files, bytes) {
        seen.files += files;
        seen.bytes += bytes;
      },
      expired: (directory) => output.text(expiredLine(directory, dryRun)),
      kept: (directory, { path, code, message }) =>
        output.text(
          `kept ${printable(directory)}: ${printable(whatKeeps(directory, path, message))} [${code}]`,
        ),
    },
    log,
  });
  for (const line of expireLines(summary)) output.text(line);
  if (failure !== undefined) return output.failed(failure, summary);
  if (signal.aborted) return output.done(summary, EXIT.INTERRUPTED);
  return output.done(summary, summary.kept.length > 0 || summary.short ? EXIT.PROBLEMS : EXIT.DONE);
});

function expiredLine({ name, files, bytes, sealed, because }: ExpiredDirectory, dryRun: boolean): string {
  const what = `${formatCount(files, 'file')}, ${formatBytes(bytes)}, sealed ${sealed}`;
  const why = because === 'room' ? ', for room' : '';
  return `${dryRun ? 'would go:' : 'expired'} ${printable(name)}: ${what}${why}`;
}

function whatKeeps(directory: string, path: string, message: string): string {
  return path === directory || message.includes(path) ? message : `${path} ${message}`;
}

/** Returns `2 directories, 12 files, 3.4 MiB expired; 1 kept; 31 % free`. */
export function expireLines(summary: ExpireSummary): string[] {
  const { expired, files, bytes, kept, left, freeBytes, totalBytes, short, dryRun } = summary;
  const directories = formatCount(expired.length, 'directory', 'directories');
  const percent = Math.floor((100 * freeBytes) / Math.max(totalBytes, 1));
  const parts = [
    `${directories}, ${formatCount(files, 'file')}, ${formatBytes(bytes)} ${dryRun ? 'would go' : 'expired'}`,
    ...(kept.length > 0 ? [`${kept.length} kept`] : []),
    ...(left > 0 ? [`${left} left for the next run (--max-delete)`] : []),
    `${formatBytes(freeBytes)} (${percent} %) free`,
  ];
  const more = dryRun ? 'even then' : 'still';
  return [parts.join('; '), ...(short ? [`room is ${more} short: ${whyShort(summary)}`] : [])];
}
