import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBlock, type Block } from '../faults/content.ts';
import { Random } from '../../harness/random.ts';

/**
 * Fills one data directory after another until it is killed. The name of a file tells how it was written, and by its number
 * the block that it holds: for ever (`plain`, `synced`, `renamed`, `dated`), or the first of several (`grown`, `rewritten`).
 *
 *     node writer.ts ROOT SEED
 */
const FILES_EACH = 80;
/** Every so many directories come into the root at once, with enough files to share one sync. */
const MOVED_IN = 4;
const FILES_MOVED_IN = 700;
/** How old those are then, in ms: younger ones are held back, and share a sync all the same. */
const MOVED_AFTER_MS = [0, 300];
const LARGEST = 120_000;
const PAUSES_MS = [0, 5, 20, 80];
/** An old file is written again this often. */
const CHANGES = 0.25;

const [root = '', seed = ''] = process.argv.slice(2);
const random = new Random(Number(seed));
const open: string[] = [];
for (let directory = 1; ; directory++) {
  const name = `DC${directory}`;
  if (directory % MOVED_IN === 0) await moveIn(name, directory);
  else mkdirSync(join(root, name));
  const changing: string[] = [];
  for (let id = directory * 1000; id < directory * 1000 + FILES_EACH; id++) {
    create(name, id, changing);
    if (changing.length > 0 && random.chance(CHANGES)) change(random.pick(changing), id + 500);
    await sleep(random.pick(PAUSES_MS));
  }
  open.push(name);
  // Two stay open, one of them at work.
  if (open.length > 1) writeFileSync(join(root, open.shift() ?? '', 'finished.parse'), '');
}

/** Beside the root, so that nothing is known of them before. */
async function moveIn(name: string, directory: number): Promise<void> {
  const beside = `${root}-${name}`;
  mkdirSync(beside);
  for (let n = 0; n < FILES_MOVED_IN; n++) {
    const id = directory * 10_000_000 + n;
    writeFileSync(join(beside, `plain-${id}`), encodeBlock({ id, length: random.int(1, 4000) }));
  }
  await sleep(random.pick(MOVED_AFTER_MS));
  renameSync(beside, join(root, name));
}

function create(directory: string, id: number, changing: string[]): void {
  const kind = random.pick(['plain', 'plain', 'synced', 'renamed', 'dated', 'grown', 'rewritten']);
  const path = join(root, directory, `${kind}-${id}`);
  const bytes = encodeBlock(block(id));
  if (kind === 'synced') writeSynced(path, bytes);
  else if (kind === 'renamed') {
    const via = join(root, directory, `.${kind}-${id}`);
    writeFileSync(via, bytes);
    renameSync(via, path);
  } else writeFileSync(path, bytes);
  if (kind === 'dated') utimesSync(path, 1_600_000_000 + id, 1_600_000_000 + id);
  if (kind === 'grown' || kind === 'rewritten') changing.push(path);
}

function change(path: string, id: number): void {
  const bytes = encodeBlock(block(id));
  if (path.includes('/grown-')) appendFileSync(path, bytes);
  else writeFileSync(path, bytes);
}

function writeSynced(path: string, bytes: Buffer): void {
  const file = openSync(path, 'w');
  writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
}

function block(id: number): Block {
  return { id, length: random.int(1, random.chance(0.7) ? 8000 : LARGEST) };
}
