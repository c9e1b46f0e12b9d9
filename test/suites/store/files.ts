import { type DigestAlgorithm, digestOf } from '../../../src/model/digest.ts';
import type { FileEntry } from '../../../src/model/file-entry.ts';
import { IsyncError } from '../../../src/model/isync-error.ts';
import { parseRelPath, type RelPath } from '../../../src/model/rel-path.ts';
import { readDigest } from '../../../src/store/read-digest.ts';
import type { FileDigest, PutOutcome, ReadOptions, Store, WholeFile } from '../../../src/store/store.ts';

const MTIME_US = 1_700_000_000_123_456;

export function fileAt(path: string, size: number, mtimeUs = MTIME_US): FileEntry {
  return { path: parseRelPath(path), size, mtimeUs };
}

export function xxh64(bytes: Uint8Array | string): FileDigest {
  return { algorithm: 'xxh64', value: digestOf('xxh64', Buffer.from(bytes)) };
}

/** Puts `content` under `path`. */
export async function putBytes(
  store: Store,
  path: string,
  content: Uint8Array | string,
  mtimeUs = MTIME_US,
): Promise<FileEntry> {
  const bytes = Buffer.from(content);
  const file = fileAt(path, bytes.length, mtimeUs);
  await store.put(file, bytes, xxh64(bytes));
  return file;
}

export function wholeFile(path: string, content: Uint8Array | string, mtimeUs = MTIME_US): WholeFile {
  const bytes = Buffer.from(content);
  return { file: fileAt(path, bytes.length, mtimeUs), bytes, digest: xxh64(bytes) };
}

/** An outcome for `putMany` that writes down what it is told: the path, and "kept" or the code of the refusal. */
export function manyOutcomes() {
  const told: [path: string, result: string][] = [];
  const outcome: PutOutcome<WholeFile> = {
    kept: ({ file }) => void told.push([file.path, 'kept']),
    refused: ({ file }, reason) => void told.push([file.path, codeOf(reason)]),
  };
  return { outcome, told, codes: () => Object.fromEntries(told) };
}

export async function listAll(store: Store, prefix = ''): Promise<FileEntry[]> {
  const found: FileEntry[] = [];
  for await (const file of store.list(prefix === '' ? '' : parseRelPath(prefix))) found.push(file);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function listPaths(store: Store, prefix = ''): Promise<RelPath[]> {
  return (await listAll(store, prefix)).map(({ path }) => path);
}

/** Digest of what is published under `path`. */
export async function digestIn(
  store: Store,
  path: string,
  algorithm: DigestAlgorithm = 'xxh64',
): Promise<Buffer | undefined> {
  return (await readDigest(store, parseRelPath(path), algorithm))?.digest;
}

/** What is published under `path`, from `start` on. */
export async function contentIn(
  store: Store,
  path: string,
  options?: ReadOptions,
): Promise<Buffer | undefined> {
  const found = await store.read(parseRelPath(path), options);
  return found && joined(found.bytes);
}

export async function joined(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The code of an IsyncError; for `catch`. */
export function codeOf(error: unknown): string {
  if (error instanceof IsyncError) return error.code;
  throw error;
}
