import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeContent, type Decoded } from './content.ts';
import { Model } from './model.ts';
import { openCopy, type Place } from './open-copy.ts';
import { directoryOf, sharesWithGroup, type Plan } from './plan.ts';
import { Seals } from './seals.ts';
import { halfAtTarget, toldOnce } from './told-once.ts';
import { walk } from './walk.ts';

/**
 * Looks at root and target all the time while a round runs, in a process of its own, and prints one line for every
 * broken promise. Ends at SIGTERM with a line of what it has looked at.
 *
 *     node observer.ts ROOT PLACE PLAN-FILE LENIENT
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
const REST = 15;
/** Longest rest, in ms. */
const MAX_REST_MS = 400;

const [root = '', placeJson = '', planFile = '', lenient = ''] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
const place = JSON.parse(placeJson) as Place;
const copy = await openCopy(place);
const model = new Model(plan);
const shares = sharesWithGroup(plan);
const seals = new Seals(root, plan);
const tell = toldOnce((line) => void process.stdout.write(`${line}\n`));
const checkedMarks = new Map<string, number>();
/** The latest content of each path that has been read at the target. */
const known = new Map<string, { readonly tag: string; readonly content: Decoded }>();
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
  let looked = 0;
  let startedMs = performance.now();
  for await (const { path, tag } of copy.list()) {
    if (end.signal.aborted) return;
    const before = known.get(path);
    if (before?.tag !== tag) {
      const content = await readCopy(path, tag);
      if (content !== undefined && content !== 'away') judge(path, content);
    }
    if (++looked % SLICE !== 0) continue;
    await rest(startedMs);
    startedMs = performance.now();
  }
  await rest(startedMs);
}

function judge(path: string, { version, rest }: Decoded): void {
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

interface Marked {
  readonly path: string;
  readonly ctimeMs: number;
  readonly version: string;
}

/** A marked file is at the target, in the version that was marked or a newer one. */
async function lookAtMarks(): Promise<void> {
  let slice: Marked[] = [];
  let startedMs = performance.now();
  for (const { path, stats } of walk(root)) {
    if (end.signal.aborted) return;
    const marked = markedAt(path, stats);
    if (marked !== undefined) slice.push(marked);
    if (slice.length < SLICE) continue;
    await checkMarks(slice);
    slice = [];
    await rest(startedMs);
    startedMs = performance.now();
  }
  await checkMarks(slice);
  await rest(startedMs);
}

/** A mark that is to be checked; undefined where there is none that proves anything. */
function markedAt(path: string, stats: Stats): Marked | undefined {
  if ((stats.mode & MARK) === 0 || stats.mtimeMs >= stats.ctimeMs) return undefined;
  if (model.tricked.has(path) || shares || path.startsWith('.') || !path.includes('/')) return undefined;
  if (path.endsWith('/finished.watch') || isOurTemp(path)) return undefined;
  if (checkedMarks.get(path) === stats.ctimeMs) return undefined;
  const content = readSource(path, stats);
  // It is another file by now, whose mark is looked at the next time.
  return content && { path, ctimeMs: stats.ctimeMs, version: content.version };
}

async function checkMarks(marks: readonly Marked[]): Promise<void> {
  if (marks.length === 0) return;
  const tags = await copy.tagsOf(marks.map(({ path }) => path));
  // Somebody has the store folder.
  if (tags === undefined) return;
  for (const { path, ctimeMs, version } of marks) {
    const kept = await readCopy(path, tags.get(path));
    if (kept === 'away') continue;
    if (kept === undefined) {
      // Somebody may have the permission to read it.
      if (lenient === 'true') continue;
      tell(`marked, but not at the target: ${show(path)}`);
    } else if (model.rank(path, kept.version) < model.rank(path, version))
      tell(`marked, but the target has an older version: ${show(path)}: ${kept.version} < ${version}`);
    checkedMarks.set(path, ctimeMs);
  }
}

/** When `finished.watch` is seen, everything is at the target. */
async function lookAtSeals(): Promise<void> {
  for (const directory of plan.directories) {
    if (sealed.has(directory) || !seals.has(directory)) continue;
    const files = [...model.finalOf(directory)];
    const tags = await copy.tagsOf(files.map(([path]) => path));
    if (tags === undefined) continue;
    sealed.add(directory);
    if (!model.isToBeSealed(directory))
      tell(`sealed though it is empty and nobody closed it: ${show(directory)}`);
    let startedMs = performance.now();
    for (const [index, [path, version]] of files.entries()) {
      const kept = await readCopy(path, tags.get(path));
      if (kept === 'away') {
        // All of it is looked at again.
        sealed.delete(directory);
        break;
      }
      if (kept === undefined) tell(`sealed without ${show(path)}`);
      else if (kept.version !== version || kept.rest !== 'none')
        tell(`sealed with ${show(path)} as "${kept.version}" + ${kept.rest} instead of "${version}"`);
      if ((index + 1) % SLICE !== 0) continue;
      await rest(startedMs);
      startedMs = performance.now();
    }
  }
}

/**
 * What the target has under a path: that of `tag`, or what came after it; undefined where there was nothing. 'away' where
 * nobody can tell now.
 */
async function readCopy(path: string, tag: string | undefined): Promise<Decoded | undefined | 'away'> {
  for (let wanted = tag; wanted !== undefined;) {
    const before = known.get(path);
    if (before?.tag === wanted) return before.content;
    const read = await copy.read(path);
    if (read !== undefined) {
      filesRead++;
      const content = decodeContent(read.bytes);
      known.set(path, { tag: read.tag, content });
      return content;
    }
    const tags = await copy.tagsOf([path]);
    if (tags === undefined) return 'away';
    wanted = tags.get(path);
  }
  return undefined;
}

/** Of the root, where the seal's marker is written under this name first. */
function isOurTemp(path: string): boolean {
  return path === `${directoryOf(path)}/.finished.watch.tmp`;
}

/** One open file read whole. Undefined when it is none, or not `expected` any more. */
function readSource(path: string, expected: Stats): Decoded | undefined {
  let file: number | undefined;
  try {
    file = openSync(join(root, path), 'r');
    const bytes = readFileSync(file);
    const stats = fstatSync(file);
    if (stats.ino !== expected.ino || stats.ctimeMs !== expected.ctimeMs) return undefined;
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
