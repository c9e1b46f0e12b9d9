import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { filesBelow } from '../suites/data-tree.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { decodeContent } from './content.ts';
import type { Model } from './model.ts';
import { toldOnce } from './told-once.ts';

/** What an upload that nobody went on with is called. */
const PART = /^[0-9a-f]{64}$/;

const MARK = 0o020;

/** After a round: does the target hold what the parser made, and nothing else? One line for each thing that is wrong. */
export async function verifyTarget(
  model: Model,
  { root, store, device }: { readonly root: string; readonly store: string; readonly device: string },
): Promise<string[]> {
  const faults: string[] = [];
  const tell = toldOnce((line) => faults.push(line));
  for (const [path, version] of model.final) {
    const fault = differenceOf(join(root, path), join(store, device, path), version);
    if (fault !== undefined) tell(`${JSON.stringify(path)} ${fault}`);
  }
  for (const directory of model.closed)
    if (existsSync(join(root, directory, '.finished.watch.tmp')))
      tell(`${directory} has half a finished.watch`);
  for (const entry of await readdir(store))
    if (entry !== device && entry !== '.isync')
      tell(`outside of the device's folder: ${JSON.stringify(entry)}`);
  for (const path of (await filesBelow(join(store, device))).keys())
    if (!model.versions.has(path)) tell(`the parser never made ${JSON.stringify(path)}`);
  await verifyStaging(store, tell);
  return faults;
}

function differenceOf(source: string, copy: string, version: string): string | undefined {
  const expected = lstatSync(source, { throwIfNoEntry: false });
  if (expected === undefined) return 'is not in the root: the parser or the model is wrong';
  const found = lstatSync(copy, { throwIfNoEntry: false });
  if (found === undefined)
    return `is not at the target (mode ${(expected.mode & 0o777).toString(8)} in the root)`;
  const { version: kept, rest } = decodeContent(readFileSync(copy));
  if (rest !== 'none' || kept !== version)
    return `is "${kept}" + ${rest} at the target instead of "${version}"`;
  if (!readFileSync(source).equals(readFileSync(copy))) return 'differs from the file in the root';
  if (Math.abs(found.mtimeMs - expected.mtimeMs) > 0.0021)
    return `has the mtime ${found.mtimeMs} instead of ${expected.mtimeMs}`;
  if ((expected.mode & MARK) === 0 && !source.endsWith('/finished.parse')) return 'has no mark';
  if ((found.mode & 0o777) !== 0o644) return `has the mode ${(found.mode & 0o777).toString(8)}`;
  return undefined;
}

/** After both sides have ended and one store has been opened again, only parts are left, and those go when stale. */
async function verifyStaging(store: string, tell: (line: string) => void): Promise<void> {
  await (await openFileStore(store))[Symbol.asyncDispose]();
  const staging = join(store, '.isync/staging');
  for (const path of (await filesBelow(staging)).keys()) {
    const [parts, name = ''] = path.split('/');
    if (parts !== 'parts' || !PART.test(name)) tell(`left behind: .isync/staging/${path}`);
  }
  await (await openFileStore(store, { stalePartialMs: -1000 }))[Symbol.asyncDispose]();
  for (const path of (await filesBelow(staging)).keys()) tell(`not collected: .isync/staging/${path}`);
  for (const entry of await readdir(staging))
    if (entry !== 'parts') tell(`left behind: ${relative(store, join(staging, entry))}`);
}
