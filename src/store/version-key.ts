import type { FileEntry } from '../model/file-entry.ts';

/** What an upload is known by: equal for equal path, size and mtime, and for nothing else. */
export function versionKey(file: FileEntry): string {
  return `${file.size} ${file.mtimeUs} ${file.path}`;
}
