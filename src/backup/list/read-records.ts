import type { FileRecord } from './file-record.ts';
import { comparePaths } from './member-path.ts';
import { escapeFault } from './escaped-name.ts';
import { decodeRecord, invalid, MAX_LINE_BYTES } from './record-codec.ts';

const LINE_FEED = 0x0a;
/** One for all lines: to make one costs as much as to check a record. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The records of a list, from its decrypted and decompressed bytes, one at a time. Each is checked by itself and against those before:
 * in order, so no path comes twice; below no file or symlink; a link leads to a file before it.
 * @param expected records that the manifest announces; undefined: any number
 * @throws IsyncError BACKUP_DAMAGED
 */
export async function* readRecords(
  bytes: AsyncIterable<Uint8Array>,
  expected?: number,
): AsyncGenerator<FileRecord> {
  let before: FileRecord | undefined;
  let leaf: string | undefined;
  let count = 0;
  for await (const line of linesOf(bytes)) {
    const record = decodeRecord(line);
    const { path } = record;
    if (before !== undefined && comparePaths(before.path, path) >= 0)
      throw invalid(before.path === path ? 'a path comes twice' : 'the paths are not in order');
    if (leaf !== undefined && path.startsWith(`${leaf}/`))
      throw invalid('a path lies below one that is no folder');
    const fault = escapeFault(path);
    if (fault !== undefined) throw invalid(`a path ${fault}`);
    if (record.type === 'file' && record.linkTo !== undefined && comparePaths(record.linkTo, path) >= 0)
      throw invalid('a link leads to what comes later');
    if (record.type !== 'directory') leaf = path;
    before = record;
    count++;
    if (expected !== undefined && count > expected) throw invalid(`it has more than ${expected} records`);
    yield record;
  }
  if (expected !== undefined && count < expected)
    throw invalid(`it has ${count} records where ${expected} are announced`);
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    let from = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
      length += end - from;
      if (length > MAX_LINE_BYTES) throw tooLong();
      rest.push(piece.subarray(from, end));
      yield textOf(rest);
      rest = [];
      length = 0;
      from = end + 1;
    }
    if (from === piece.length) continue;
    length += piece.length - from;
    if (length > MAX_LINE_BYTES) throw tooLong();
    rest.push(piece.slice(from));
  }
  if (length > 0) throw invalid('its last line is cut');
}

function textOf(pieces: readonly Uint8Array[]): string {
  const [only] = pieces;
  const whole = only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces);
  try {
    return UTF8.decode(whole);
  } catch {
    throw invalid('a line is not UTF-8');
  }
}

function tooLong(): Error {
  return invalid(`a line is longer than ${MAX_LINE_BYTES} bytes`);
}
