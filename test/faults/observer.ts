import { closeSync, fstatSync, lstatSync, openSync, opendirSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeContent } from './content.ts';
import { Model } from './model.ts';
import { directoryOf, sharesWithGroup, type Plan } from './plan.ts';
import { Seals } from './seals.ts';
import { halfAtTarget, toldOnce } from './told-once.ts';

/**
 * Looks at root and target all the time while a round runs, in a process of its own, and prints one line for every
 * broken promise. Ends at SIGTERM with a line of what it has looked at.
 *
 *     node observer.ts ROOT COPY PLAN-FILE LENIENT
 */
export interface Observed {
  readonly marksSeen: number;
  readonly sealsSeen: number;
  readonly filesRead: number;
}

const MARK = 0o020;
/** Files looked at in one go. */
const SLICE = 200;
/** Of every ms at work as many at rest: the observed shall have the processors. */
const REST = 2;
/** Longest rest, in ms. */
const MAX_REST_MS = 60;

const [root = '', copy = '', planFile = '', lenient = ''] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
const model = new Model(plan);
const shares = sharesWithGroup(plan);
const seals = new Seals(root, plan);
const tell = toldOnce((line) => void process.stdout.write(`${line}\n`));
const checkedMarks = new Map<string, number>();
const readCopies = new Map<string, string>();
const sealed = new Set<string>();
let filesRead = 0;

const end = new AbortController();
process.on('SIGTERM', () => end.abort());
while (!end.signal.aborted) {
  await lookAtSeals();
  await lookAtTarget();
  await lookAtMarks();
  await rest(performance.now() - 1);
}
const observed: Observed = { marksSeen: checkedMarks.size, sealsSeen: sealed.size, filesRead };
process.stdout.write(`${JSON.stringify(observed)}\n`, () => process.exit(0));

/** Whoever reads the target sees a whole file or none, and nothing that the parser never made. */
async function lookAtTarget(): Promise<void> {
  await lookAtEach(copy, (path, stats) => {
    const key = `${stats.ino} ${stats.ctimeMs} ${stats.size}`;
    if (readCopies.get(path) === key) return;
    const found = readVersion(join(copy, path));
    if (found === undefined) return;
    filesRead++;
    readCopies.set(path, key);
    judge(path, found.version, found.rest);
  });
}

function judge(path: string, version: string, rest: string): void {
  const versions = model.versions.get(path);
  if (versions === undefined) tell(`at the target, though the parser never made it: ${show(path)}`);
  else if (rest === 'torn') tell(`torn at the target: ${show(path)}`);
  else if (rest === 'beginning' || !versions.includes(version)) {
    // Who pauses long enough in the middle of a file has it sent in halves.
    if (mayBeHalf(path) && versions.some((whole) => startsWith(whole, version))) return;
    tell(`${halfAtTarget(path)} is "${version}" + ${rest}, known are ${versions.join(' | ')}`);
  }
}

function mayBeHalf(path: string): boolean {
  return model.rested.has(path) || lenient === 'true';
}

function startsWith(whole: string, beginning: string): boolean {
  return beginning === '' || whole === beginning || whole.startsWith(`${beginning},`);
}

/** A marked file is at the target, in the version that was marked or a newer one. */
async function lookAtMarks(): Promise<void> {
  await lookAtEach(root, (path, stats) => {
    if ((stats.mode & MARK) === 0 || stats.mtimeMs >= stats.ctimeMs) return;
    if (model.tricked.has(path) || shares || path.startsWith('.')) return;
    if (checkedMarks.get(path) === stats.ctimeMs) return;
    const marked = readVersion(join(root, path), stats);
    // It is another file by now, whose mark is looked at the next time.
    if (marked === undefined) return;
    checkedMarks.set(path, stats.ctimeMs);
    const kept = readVersion(join(copy, path));
    if (kept === undefined) {
      // Somebody has the store folder, or the permission to read it.
      if (lookAt(copy) === undefined || lenient === 'true') checkedMarks.delete(path);
      else tell(`marked, but not at the target: ${show(path)}`);
    } else if (model.rank(path, kept.version) < model.rank(path, marked.version))
      tell(`marked, but the target has an older version: ${show(path)}: ${kept.version} < ${marked.version}`);
  });
}

/** When `finished.watch` is seen, everything is at the target. */
async function lookAtSeals(): Promise<void> {
  for (const directory of plan.directories) {
    if (sealed.has(directory) || !seals.has(directory)) continue;
    if (lookAt(copy) === undefined) continue;
    sealed.add(directory);
    if (!model.isToBeSealed(directory))
      tell(`sealed though it is empty and nobody closed it: ${show(directory)}`);
    let missing = 0;
    for (const [path, version] of model.finalOf(directory)) {
      if (++missing % SLICE === 0) await rest(performance.now() - 1);
      const kept = readVersion(join(copy, path));
      if (kept === undefined) tell(`sealed without ${show(path)}`);
      else if (kept.version !== version || kept.rest !== 'none')
        tell(`sealed with ${show(path)} as "${kept.version}" + ${kept.rest} instead of "${version}"`);
    }
  }
}

async function lookAtEach(top: string, look: (path: string, stats: Stats) => void): Promise<void> {
  let looked = 0;
  let startedMs = performance.now();
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined && !end.signal.aborted; folder = folders.pop()) {
    for (const { name, isFolder } of entriesOf(join(top, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (isFolder) folders.push(path);
      else if (folder !== '') {
        const stats = lookAt(join(top, path));
        if (stats?.isFile() === true && !path.endsWith('/finished.watch') && !isOurTemp(path))
          look(path, stats);
      }
      if (++looked % SLICE !== 0) continue;
      await rest(startedMs);
      if (end.signal.aborted) return;
      startedMs = performance.now();
    }
  }
  await rest(startedMs);
}

/** Of the root, where the seal's marker is written under this name first. */
function isOurTemp(path: string): boolean {
  return path === `${directoryOf(path)}/.finished.watch.tmp`;
}

function entriesOf(folder: string): { name: string; isFolder: boolean }[] {
  try {
    using handle = opendirSync(folder);
    const entries = [];
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync())
      entries.push({ name: entry.name, isFolder: entry.isDirectory() });
    return entries;
  } catch {
    // Gone by now, taken away for a while, or not permitted for a while: all of these are among the faults.
    return [];
  }
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // Taken away for a while.
    return undefined;
  }
}

/** One open file read whole: whatever it is renamed to meanwhile. Undefined when it is none, or not `expected` any more. */
function readVersion(path: string, expected?: Stats): ReturnType<typeof decodeContent> | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = readFileSync(file);
    const stats = fstatSync(file);
    if (expected !== undefined && (stats.ino !== expected.ino || stats.ctimeMs !== expected.ctimeMs))
      return undefined;
    return decodeContent(bytes);
  } catch {
    // Gone, or taken away for a while.
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

async function rest(startedMs: number): Promise<void> {
  await sleep(Math.min(MAX_REST_MS, (performance.now() - startedMs) * REST));
}

function show(path: string): string {
  return JSON.stringify(path);
}
