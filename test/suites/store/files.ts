import { digestOf } from '../../../src/model/digest.ts';
import type { FileEntry } from '../../../src/model/file-entry.ts';
import { parseRelPath, type RelPath } from '../../../src/model/rel-path.ts';
import type { FileDigest, Store } from '../../../src/store/store.ts';

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

export async function listAll(store: Store, prefix = ''): Promise<FileEntry[]> {
  const found: FileEntry[] = [];
  for await (const file of store.list(prefix === '' ? '' : parseRelPath(prefix))) found.push(file);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function listPaths(store: Store, prefix = ''): Promise<RelPath[]> {
  return (await listAll(store, prefix)).map(({ path }) => path);
}
