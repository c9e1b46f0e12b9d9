import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, type Stats } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The mark: group-write. */
const MARK = 0o020;
/** Bytes of both files compared at a time. */
const COMPARE_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

/** A temporary folder that is removed with all it holds at the end of its scope. */
export async function temporaryFolder(
  name: string,
  parent = tmpdir(),
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(parent, `isync-${name}-`));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

/** Content by path, below a root: text as it is, a number as that many bytes that differ from path to path. */
export type Tree = Readonly<Record<string, string | number>>;

/** Writes `tree` in its order, as a parser with umask 022 does. */
export async function writeTree(root: string, tree: Tree): Promise<void> {
  for (const [path, content] of Object.entries(tree)) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    const bytes = typeof content === 'string' ? content : contentOf(path, content);
    await writeFile(target, bytes, { mode: 0o644 });
  }
}

/** `size` bytes, sparse, with each MiB telling its place, so that no part can stand for another. */
export async function writeSparse(path: string, size: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, 'w');
  for (let at = 0; at + 16 <= size; at += MIB) await file.write(`at ${at}`.padEnd(16), at);
  await file.truncate(size);
}

/** `size` bytes that no other seed gives and that repeat nowhere within 32 bytes. */
export function contentOf(seed: string, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  const block = createHash('sha256').update(seed).digest();
  for (let at = 0; at < size; at += 32) {
    block.writeUInt32BE(at / 32, 0);
    block.copy(bytes, at);
  }
  return bytes;
}

/** Every file below `folder`, path → lstat; a folder that is not there has none. What vanishes meanwhile is left out. */
export async function filesBelow(folder: string): Promise<Map<string, Stats>> {
  const found = new Map<string, Stats>();
  await collect(folder, '', found);
  return found;
}

async function collect(folder: string, prefix: string, found: Map<string, Stats>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of entries ?? []) {
    const path = prefix + entry.name;
    if (entry.isDirectory()) await collect(join(folder, entry.name), `${path}/`, found);
    else {
      // Synchronous, here and below: for a hundred thousand files a promise each would take most of the time.
      const stat = lstatSync(join(folder, entry.name), { throwIfNoEntry: false });
      if (stat !== undefined) found.set(path, stat);
    }
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

export function isMarked(stat: Stats): boolean {
  return (stat.mode & MARK) !== 0;
}

export function isSealed(root: string, directory: string): boolean {
  return existsSync(join(root, directory, 'finished.watch'));
}

/**
 * What differs between two trees, in words; empty when they hold the same files byte by byte, with the same mtimes.
 * `leaveOut` says which paths of the source are not expected at the target.
 */
export async function differences(
  source: string,
  target: string,
  leaveOut: (path: string) => boolean = (path) => path.endsWith('/finished.watch'),
): Promise<string[]> {
  const [here, there] = await Promise.all([filesBelow(source), filesBelow(target)]);
  const faults: string[] = [];
  for (const [path, stat] of here) {
    const other = there.get(path);
    if (leaveOut(path)) continue;
    if (other === undefined) faults.push(`${path} is missing`);
    else if (!(await sameContent(join(source, path), join(target, path)))) faults.push(`${path} differs`);
    else if (Math.abs(stat.mtimeMs - other.mtimeMs) > 0.002) faults.push(`${path} has another mtime`);
  }
  for (const path of there.keys()) if (!here.has(path) || leaveOut(path)) faults.push(`${path} is too much`);
  return faults;
}

/** Whether two files hold the same bytes; false when one of them is gone. */
export async function sameContent(one: string, other: string): Promise<boolean> {
  const [a, b] = [one, other].map((path) => lstatSync(path, { throwIfNoEntry: false }));
  if (a === undefined || b === undefined || a.size !== b.size) return false;
  if (a.size > COMPARE_BYTES) return await sameStretches(one, other, a.size);
  return readFileSync(one).equals(readFileSync(other));
}

async function sameStretches(one: string, other: string, size: number): Promise<boolean> {
  await using left = await open(one);
  await using right = await open(other);
  const [a, b] = [Buffer.allocUnsafe(COMPARE_BYTES), Buffer.allocUnsafe(COMPARE_BYTES)];
  for (let at = 0; at < size; at += COMPARE_BYTES) {
    const [x, y] = await Promise.all([
      left.read(a, 0, COMPARE_BYTES, at),
      right.read(b, 0, COMPARE_BYTES, at),
    ]);
    if (x.bytesRead !== y.bytesRead || !a.subarray(0, x.bytesRead).equals(b.subarray(0, y.bytesRead)))
      return false;
  }
  return true;
}
