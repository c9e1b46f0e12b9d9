import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeContent } from '../faults/content.ts';
import { filesBelow, isMarked } from '../../harness/data-tree.ts';

/** A file as it lies somewhere. */
export interface Held {
  readonly bytes: Buffer;
  readonly mtimeMs: number;
}

/** Times that differ by less are the same, in ms: a store keeps whole microseconds. */
const SAME_MTIME_MS = 0.0021;
/** What `mapping.py` gives each of its files. */
const MAPPED_BYTES = 65_536;

export async function contentsOf(folder: string): Promise<Map<string, Held>> {
  const held = new Map<string, Held>();
  for (const [path, { mtimeMs }] of await filesBelow(folder))
    held.set(path, { bytes: readFileSync(join(folder, path)), mtimeMs });
  return held;
}

/** Files whose mark says that they are at the target. */
export async function markedIn(root: string): Promise<string[]> {
  return [...(await filesBelow(root))]
    .filter(([, stat]) => stat.isFile() && isMarked(stat) && stat.mtimeMs < stat.ctimeMs)
    .map(([path]) => path);
}

/** What is wrong at the target after the device has been started again, a line each. */
export function judge(
  marked: readonly string[],
  before: ReadonlyMap<string, Held>,
  after: ReadonlyMap<string, Held>,
): string[] {
  const wrong: string[] = [];
  for (const [path, held] of before) {
    const now = after.get(path);
    if (now === undefined) wrong.push(`${path} is gone from the target`);
    else if (isWorse(now, held))
      wrong.push(
        `the good copy of ${path} (${held.bytes.length} bytes) was replaced by ${now.bytes.length}${isBlank(now) ? ' zeros' : ' bytes'} of the same mtime`,
      );
  }
  for (const path of marked) {
    const now = after.get(path);
    if (now === undefined) wrong.push(`${path} has a mark, and is not at the target`);
    else if (!isWhole(path, now.bytes)) wrong.push(`${path} has a mark, and is not whole at the target`);
  }
  return wrong;
}

function isWorse(now: Held, before: Held): boolean {
  if (Math.abs(now.mtimeMs - before.mtimeMs) > SAME_MTIME_MS || now.bytes.equals(before.bytes)) return false;
  return now.bytes.length < before.bytes.length || (isBlank(now) && !isBlank(before));
}

function isBlank({ bytes }: Held): boolean {
  return bytes.every((byte) => byte === 0);
}

function isWhole(path: string, bytes: Buffer): boolean {
  const [kind = '', id = ''] = basename(path).split('-');
  if (kind === 'mapped')
    return bytes.length === MAPPED_BYTES && !bytes.subarray(0, 8).equals(Buffer.alloc(8));
  const { version, rest } = decodeContent(bytes);
  if (rest !== 'none') return false;
  if (kind === 'rewritten') return version !== '' && !version.includes(',');
  return kind === 'grown' ? version.split(',')[0] === id : version === id;
}
