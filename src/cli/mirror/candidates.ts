import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import type { MirrorConfig } from '../../config/schemas/mirror.ts';
import type { Candidate } from '../../mirror/bulk/candidate.ts';
import { withKept } from '../../mirror/bulk/kept-window.ts';
import { linesOf } from '../../mirror/bulk/lines.ts';
import { isListable, listedKeys } from '../../mirror/bulk/listed-keys.ts';
import { namedKey } from '../../mirror/bulk/named-key.ts';
import { withOrigin } from '../../mirror/bulk/origin-window.ts';
import type { OpenMirror } from '../../mirror/open-mirror.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { MAX_KEY_BYTES } from '../../model/object-key.ts';

/** Longest line of a list, in bytes: a key of 1,024 bytes, each percent-encoded, with the base of its URL and a query. */
const MOST_LINE_BYTES = 16 * 1024;

/**
 * The keys of the list, or of the listings where none is given.
 * @throws IsyncError USAGE where nothing can be listed; the iteration rejects with FILE_UNREADABLE or the signal's reason
 */
export function candidatesOf(
  { list }: Pick<MirrorConfig, 'list'>,
  /** Whether what the origin has of each key is compared: then it is asked for by pages, where that is possible. */
  compares: boolean,
  mirror: OpenMirror,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): AsyncIterable<Candidate> {
  const keyBytes = MAX_KEY_BYTES - Buffer.byteLength(mirror.prefix);
  if (list !== undefined) {
    const named = withKept(ofList(list, mirror, keyBytes, signal), { ...mirror, signal });
    return compares ? withOrigin(named, mirror.routes, signal) : named;
  }
  const others = mirror.routes.filter((route) => !isListable(route)).map(({ rule }) => rule.name);
  if (others.length === mirror.routes.length)
    throw new IsyncError('USAGE', 'there is no s3:// origin, and a web server can not be listed', {
      hint: 'Name the keys with --list FILE: one in each line, or a URL of the origin.',
    });
  if (others.length > 0)
    log.warn('what these rules have at web servers is left out: only --list names it', { rules: others });
  return listedKeys({ ...mirror, keyBytes, signal });
}

async function* ofList(
  list: string,
  { rules }: OpenMirror,
  keyBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Candidate> {
  const chunks: AsyncIterable<Buffer> = addAbortSignal(
    signal,
    list === '-' ? process.stdin : createReadStream(list),
  );
  try {
    for await (const line of linesOf(chunks, MOST_LINE_BYTES, 'list of keys'))
      yield namedKey(rules, line, keyBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (errnoOf(error) === undefined || error instanceof IsyncError) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw new IsyncError('FILE_UNREADABLE', `the list can't be read: ${words}`, {
      path: list,
      hint: 'Name a file with --list that isync may read, or - for stdin.',
      cause: error,
    });
  }
}
