import type { FileEntry } from '../model/file-entry.ts';
import type { FileIdentity } from '../model/file-identity.ts';
import type { Problem } from '../model/problem.ts';

/** A regular file of a data directory as one lstat(2) saw it. */
export interface ListedFile {
  /** Its path is relative to the root: it begins with the data directory. */
  readonly entry: FileEntry;
  readonly identity: FileIdentity;
  /** The mark is there and believable: g+w, and mtime older than ctime. */
  readonly marked: boolean;
}

/** One entry of a listing: a file, or a problem with what is there. */
export type Finding =
  | { readonly kind: 'file'; readonly file: ListedFile }
  | { readonly kind: 'problem'; readonly problem: Problem };
