import type { AccessLines } from '../../mirror/bulk/access-lines.ts';
import type { PrefixReport } from '../../mirror/bulk/by-prefix.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';

/** `img/: 12 objects filled (1.2 MiB), 40 requests asked of the origin, 3 sent to it; last 2026-01-31T10:00:00Z` */
export function prefixLine({ prefix, filled, filledBytes, asked, redirected, lastMs }: PrefixReport): string {
  const name = prefix === undefined ? 'other prefixes' : prefix === '' ? '(no folder)' : printable(prefix);
  const parts = [
    filled > 0 ? `${formatCount(filled, 'object')} filled (${formatBytes(filledBytes)})` : '',
    asked > 0 ? `${formatCount(asked, 'request')} asked of the origin` : '',
    redirected > 0 ? `${formatCount(redirected, 'request')} sent to the origin` : '',
  ].filter((part) => part !== '');
  return `${name}: ${parts.join(', ')}; last ${new Date(lastMs).toISOString()}`;
}

/** What a report can't know, a sentence each. @param lines undefined where no log was given */
export function unknowns(lines: AccessLines | undefined, sinceMs: number): readonly string[] {
  const always =
    'An object that was filled and then removed, replaced or filled again by "isync mirror fill" is not seen in the bucket.';
  if (lines === undefined)
    return [
      'What clients got from the origin without its being kept (too large, of a type that is not kept, HEAD) leaves no trace in the bucket: only the logs of all servers tell, with --log.',
      always,
    ];
  const { requests, failed, unsaid, unreadable, firstMs } = lines;
  const told = ['Only the logs given count: each server, and each function of Lambda, has its own.', always];
  if (firstMs === undefined)
    told.push('The logs have no request at all: are they those of the server, with --log-level info?');
  else if (firstMs > sinceMs)
    told.push(`The logs begin at ${new Date(firstMs).toISOString()}, later than the time asked for.`);
  if (failed > 0)
    told.push(
      `${failed} of ${formatCount(requests, 'request')} failed: what they would have got is not known.`,
    );
  if (unsaid > 0)
    told.push(`The server left ${formatCount(unsaid, 'request')} out of its log: there were too many.`);
  if (unreadable > 0) told.push(`${formatCount(unreadable, 'line')} of the logs could not be read.`);
  return told;
}
