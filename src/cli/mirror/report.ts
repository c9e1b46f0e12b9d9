import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import { type AccessLines, noAccessLines, readAccessLog } from '../../mirror/bulk/access-lines.ts';
import { ByPrefix } from '../../mirror/bulk/by-prefix.ts';
import { recentFills } from '../../mirror/bulk/recent-fills.ts';
import { formatCount } from '../../observe/units.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { LastingWork } from '../lasting-command.ts';
import { openBulkMirror } from './bulk-mirror.ts';
import { prefixLine, unknowns } from './report-text.ts';

const DAY_MS = 86_400_000;

/** `isync mirror report`. */
export async function report(given: LastingWork<MirrorConfig>): Promise<ExitCode> {
  const { config, output, screen, signal } = given;
  await using mirror = await openBulkMirror(given);
  const { bucket, prefix } = mirror;
  const sinceMs = Date.now() - config.days * DAY_MS;
  const byPrefix = new ByPrefix(config.depth);
  let lines: AccessLines | undefined;
  for (const path of config.log) {
    lines ??= noAccessLines();
    await readAccessLog(path, { sinceMs, byPrefix, signal }, lines);
  }
  let listed = 0;
  screen.showProgress(() => ({ files: listed, bytes: 0 }));
  const fills = await recentFills({
    bucket,
    prefix,
    sinceMs,
    signal,
    byPrefix,
    onListed: (count) => (listed = count),
  });
  const prefixes = byPrefix.report();
  const unknown = unknowns(lines, sinceMs);
  for (const each of prefixes) {
    output.text(prefixLine(each));
    await output.drained();
  }
  const since = new Date(sinceMs).toISOString();
  if (prefixes.length === 0) output.text(`Nothing came from the origin since ${since}, as far as is known.`);
  else
    output.text(
      `${formatCount(prefixes.length, 'prefix', 'prefixes')} still need the origin, since ${since}.`,
    );
  output.text('What this can not know:');
  for (const sentence of unknown) output.text(`  ${sentence}`);
  const told = {
    since,
    isEmpty: prefixes.length === 0,
    prefixes: prefixes.map(({ lastMs, ...each }) => ({ ...each, last: new Date(lastMs).toISOString() })),
    bucket: fills,
    log: lines,
    unknown,
  };
  return output.done(told, EXIT.DONE);
}
