import type { FileEntry } from '../model/file-entry.ts';

/** Identifies an upload: two keys are equal just where path, size and mtime are. */
export function versionKey(file: FileEntry): string {
  return `${file.size} ${file.mtimeUs} ${file.path}`;
}
