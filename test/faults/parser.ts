import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBlock, type Block } from './content.ts';
import { burstPath, directoriesOf, QUIET_S, type Plan, type Step } from './plan.ts';

/**
 * The parser: a process of its own that carries out a plan, and prints a line of JSON when it is through. A step that the
 * disk or a permission refuses is done again until it succeeds. The line has what the machine was too busy for, and is by no
 * fault of isync's: files that lay half written for a while, and may have been sent so, and directories that were left
 * alone for so long, before the parser went on in them, that they may count as abandoned.
 *
 *     node parser.ts ROOT PLAN-FILE
 */
const RETRY_MS = 30;
/** A third of the shortest time after which a file counts as settled, in ms. */
const HELD_UP_MS = 20;
/** Three quarters of what isync takes for abandoned, in ms. */
const NEGLECTED_MS = QUIET_S * 750;
/** How long the parser waits for the seal of a directory that it copies, in ms; then it copies it without. */
const SEAL_MS = 4000;
/** The umask's own business: files are made with this mode. */
const MODE = 0o666;

const [root = '', planFile = ''] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Plan;
process.umask(plan.umask);
/** Not a data directory, but on the same file system. */
const outside = join(root, '.parser');
let retries = 0;
const heldUp: string[] = [];
const neglected = new Set<string>();
const touchedMs = new Map<string, number>();
for (const step of plan.steps) {
  const retriesBefore = retries;
  const beginMs = performance.now();
  await insist(async () => await carryOut(step));
  const endMs = performance.now();
  for (const directory of directoriesOf(step)) {
    const goneOnMs = retries > retriesBefore ? endMs : beginMs;
    if (goneOnMs - (touchedMs.get(directory) ?? goneOnMs) > NEGLECTED_MS) neglected.add(directory);
    touchedMs.set(directory, endMs);
  }
}
await insist(() => rmSync(outside, { recursive: true, force: true }));
process.stdout.write(`${JSON.stringify({ retries, heldUp, neglected: [...neglected] })}\n`);

async function insist(act: () => void | Promise<void>): Promise<void> {
  for (;;)
    try {
      return await act();
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EACCES' && code !== 'EPERM') throw thrown;
      retries++;
      await sleep(RETRY_MS);
    }
}

async function carryOut(step: Step): Promise<void> {
  switch (step.do) {
    case 'pause':
      return await sleep(step.ms);
    case 'folder':
      return void mkdirSync(join(root, step.path), { recursive: true });
    case 'write':
      return await write(step);
    case 'append':
      return append(join(root, step.path), encodeBlock(step.block));
    case 'rewrite':
      return rewrite(step.path, encodeBlock(step.block), step.mtimeBack);
    case 'publish':
      return await publish(step);
    case 'copy':
      return copy(step);
    case 'move':
    case 'move-tree':
      mkdirSync(dirname(join(root, step.to)), { recursive: true });
      return renameSync(join(root, step.path), join(root, step.to));
    case 'remove':
      return rmSync(join(root, step.path));
    case 'unmark':
      return chmodSync(join(root, step.path), 0o644);
    case 'burst':
      return burst(step);
    case 'link':
      return linkSync(join(root, step.path), join(root, step.to));
    case 'acl':
      return setAcl(join(root, step.path));
    case 'tree':
      return moveTreeIn(step);
    case 'template':
      return await copyTemplate(step);
    case 'close':
      return writeAtOnce(join(step.path, 'finished.parse'), bytesOf(step.block));
  }
}

function bytesOf(block: Block | undefined): Buffer {
  return block === undefined ? Buffer.alloc(0) : encodeBlock(block);
}

async function write(step: Step & { do: 'write' }): Promise<void> {
  const path = join(root, step.path);
  const bytes = bytesOf(step.block);
  mkdirSync(dirname(path), { recursive: true });
  if (step.pieces <= 1) writeAtOnce(step.path, bytes);
  else {
    const file = openSync(path, 'w', MODE);
    try {
      for (let piece = 0; piece < step.pieces; piece++) {
        if (piece > 0) await sleep(step.pauseMs);
        const from = Math.floor((piece * bytes.length) / step.pieces);
        writeAll(file, bytes.subarray(from, Math.floor(((piece + 1) * bytes.length) / step.pieces)));
      }
    } finally {
      closeSync(file);
    }
  }
  if (step.mtime !== undefined) utimesSync(path, step.mtime, step.mtime);
}

function writeAtOnce(path: string, bytes: Buffer): void {
  const startMs = performance.now();
  writeFileSync(join(root, path), bytes, { mode: MODE });
  if (performance.now() - startMs > HELD_UP_MS) heldUp.push(path);
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
}

/** All or nothing, so that it can be done again. */
function append(path: string, bytes: Buffer): void {
  const { size } = statSync(path);
  try {
    appendFileSync(path, bytes);
  } catch (thrown) {
    writeFileSync(path, readFileSync(path).subarray(0, size));
    throw thrown;
  }
}

function rewrite(path: string, bytes: Buffer, mtimeBack: boolean): void {
  const before = statSync(join(root, path));
  writeAtOnce(path, bytes);
  if (mtimeBack) utimesSync(join(root, path), before.atime, before.mtime);
}

async function publish(step: Step & { do: 'publish' }): Promise<void> {
  const path = join(root, step.path);
  const via = join(root, step.via);
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(dirname(via), { recursive: true });
  writeAtOnce(step.via, bytesOf(step.block));
  if (step.pauseMs > 0) await sleep(step.pauseMs);
  if (step.mtimeBack) {
    const before = statSync(path);
    utimesSync(via, before.atime, before.mtime);
  }
  renameSync(via, path);
}

function copy({ path, block, mtime }: Step & { do: 'copy' }): void {
  const original = join(outside, 'original');
  mkdirSync(outside, { recursive: true });
  writeFileSync(original, encodeBlock(block), { mode: MODE });
  utimesSync(original, mtime, mtime);
  mkdirSync(dirname(join(root, path)), { recursive: true });
  const startMs = performance.now();
  run('cp', ['-p', '--', original, join(root, path)]);
  if (performance.now() - startMs > HELD_UP_MS) heldUp.push(path);
}

function setAcl(path: string): void {
  // A machine without it has the same round, but for the bits: the harness says so.
  if (spawnSync('setfacl', ['--version']).error !== undefined) return;
  run('setfacl', ['-m', 'u:nobody:rwx,d:u:nobody:rwx', path]);
}

function moveTreeIn({ path, files }: Step & { do: 'tree' }): void {
  const tree = join(outside, 'tree');
  rmSync(tree, { recursive: true, force: true });
  for (const { name, block, mtime } of files) {
    const file = join(tree, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, encodeBlock(block));
    chmodSync(file, 0o664);
    if (mtime !== undefined) utimesSync(file, mtime, mtime);
  }
  mkdirSync(dirname(join(root, path)), { recursive: true });
  renameSync(tree, join(root, path));
}

async function copyTemplate({ path, from, closed }: Step & { do: 'template' }): Promise<void> {
  for (let waitedMs = 0; waitedMs < SEAL_MS; waitedMs += RETRY_MS) {
    if (existsSync(join(root, from, 'finished.watch'))) break;
    await sleep(RETRY_MS);
  }
  mkdirSync(outside, { recursive: true });
  const copy = join(outside, 'template');
  rmSync(copy, { recursive: true, force: true });
  run('cp', ['-a', '--', join(root, from), copy]);
  for (const name of ['.finished.watch.tmp', ...(closed ? [] : ['finished.parse'])])
    rmSync(join(copy, name), { force: true });
  renameSync(copy, join(root, path));
}

function run(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'pipe' });
  } catch (thrown) {
    // No room, or no permission: it does not tell which in a way that a program reads.
    throw Object.assign(new Error(`${command} failed`, { cause: thrown }), { code: 'EACCES' });
  }
}

function burst({ path, count, firstId, length }: Step & { do: 'burst' }): void {
  for (let index = 0; index < count; index++)
    writeAtOnce(burstPath(path, index), encodeBlock({ id: firstId + index, length }));
}
