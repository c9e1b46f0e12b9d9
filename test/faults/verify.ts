import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import { decodeContent } from './content.ts';
import type { Content, Copy } from './copy.ts';
import type { Model } from './model.ts';
import { toldOnce } from './told-once.ts';

/** What an upload that nobody went on with is called. */
const PART = /^[0-9a-f]{64}$/;

const MARK = 0o020;
/** Files of the target that are read at a time: each may be a request. */
const READS_AT_ONCE = 8;
/** What a double holds of a mtime in µs, twice, in ms. */
const MTIME_SLACK_MS = 0.0021;

/** After a round: does the target hold what the parser made, and nothing else? One line for each thing that is wrong. */
export async function verifyTarget(model: Model, root: string, copy: Copy): Promise<string[]> {
  const faults: string[] = [];
  const tell = toldOnce((line) => faults.push(line));
  const left = model.final.entries();
  const compare = async (): Promise<void> => {
    for (const [path, version] of left) {
      const fault = differenceOf(join(root, path), await copy.read(path), version);
      if (fault !== undefined) tell(`${JSON.stringify(path)} ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, compare));
  for (const directory of model.closed)
    if (existsSync(join(root, directory, '.finished.watch.tmp')))
      tell(`${directory} has half a finished.watch`);
  for (const path of await copy.strangers()) tell(`outside of the device's folder: ${JSON.stringify(path)}`);
  for await (const { path } of copy.list())
    if (!model.versions.has(path)) tell(`the parser never made ${JSON.stringify(path)}`);
  return faults;
}

function differenceOf(source: string, found: Content | undefined, version: string): string | undefined {
  const expected = lstatSync(source, { throwIfNoEntry: false });
  if (expected === undefined) return 'is not in the root: the parser or the model is wrong';
  if (found === undefined)
    return `is not at the target (mode ${(expected.mode & 0o777).toString(8)} in the root)`;
  const { version: kept, rest } = decodeContent(found.bytes);
  if (rest !== 'none' || kept !== version)
    return `is "${kept}" + ${rest} at the target instead of "${version}"`;
  if (!readFileSync(source).equals(found.bytes)) return 'differs from the file in the root';
  if (!(Math.abs(found.mtimeMs - expected.mtimeMs) <= MTIME_SLACK_MS))
    return `has the mtime ${found.mtimeMs} instead of ${expected.mtimeMs}`;
  if ((expected.mode & MARK) === 0 && !source.endsWith('/finished.parse')) return 'has no mark';
  if (found.mode !== undefined && found.mode !== 0o644) return `has the mode ${found.mode.toString(8)}`;
  return undefined;
}

/** After both sides have ended and one store has been opened again, only parts are left, and those go when stale. */
export async function verifyStaging(store: string): Promise<string[]> {
  const faults: string[] = [];
  await (await openFileStore(store))[Symbol.asyncDispose]();
  const staging = join(store, '.isync/staging');
  for (const path of (await filesBelow(staging)).keys()) {
    const [parts, name = ''] = path.split('/');
    if (parts !== 'parts' || !PART.test(name)) faults.push(`left behind: .isync/staging/${path}`);
  }
  await (await openFileStore(store, { stalePartialMs: -1000 }))[Symbol.asyncDispose]();
  for (const path of (await filesBelow(staging)).keys()) faults.push(`not collected: .isync/staging/${path}`);
  for (const entry of await readdir(staging))
    if (entry !== 'parts') faults.push(`left behind: ${relative(store, join(staging, entry))}`);
  return faults;
}
