import { IsyncError } from '../model/isync-error.ts';

/** Longest note in bytes; a longer one is not read, and can't be written. */
export const MAX_NOTE_BYTES = 4 * 1024 * 1024;
/** Most notes that `list` tells: one for each receiver of the store, and a few that are gone. */
export const MAX_NOTES = 100;

/**
 * Small texts that those who use a store keep in it, in its own folder: no path of a file reaches them. Each has a name; of
 * several processes each should write its own. A reader sees a whole note or none, and it survives a power cut. All calls
 * may overlap, but of two writes of one name at the same time either wins. They reject as those of Store do.
 */
export interface StoreNotes {
  /** Undefined where there is none, or none that could be a note. */
  read(name: NoteName): Promise<Buffer | undefined>;
  /** The names of at most MAX_NOTES. */
  list(): Promise<NoteName[]>;
  write(name: NoteName, bytes: Buffer): Promise<void>;
  /** One that is gone already is fine. */
  remove(name: NoteName): Promise<void>;
}

export type NoteName = string & { readonly __noteName: true };

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

export function isNoteName(text: string): text is NoteName {
  return NAME.test(text);
}

/** @throws IsyncError INTERNAL */
export function checkNote(bytes: Buffer): void {
  if (bytes.length > MAX_NOTE_BYTES) throw new IsyncError('INTERNAL', `a note of ${bytes.length} bytes`);
}
