import { listObjects } from '../../s3/objects.ts';
import {
  checkNote,
  isNoteName,
  MAX_NOTE_BYTES,
  MAX_NOTES,
  type NoteName,
  type StoreNotes,
} from '../store-notes.ts';
import type { OwnObjects } from './own-objects.ts';

/** The objects below `PREFIX/.isync/notes/`. */
export class S3Notes implements StoreNotes {
  readonly #own: OwnObjects;
  readonly #before: string;

  /** @param before begins the key of each note */
  constructor(own: OwnObjects, before: string) {
    this.#own = own;
    this.#before = before;
  }

  async read(name: NoteName): Promise<Buffer | undefined> {
    const bytes = await this.#own.read(this.#before + name, MAX_NOTE_BYTES + 1);
    return bytes === undefined || bytes.length > MAX_NOTE_BYTES ? undefined : bytes;
  }

  async list(): Promise<NoteName[]> {
    const names: NoteName[] = [];
    for await (const { key } of listObjects(this.#own.bucket, this.#before)) {
      const name = key.slice(this.#before.length);
      if (isNoteName(name)) names.push(name);
      if (names.length >= MAX_NOTES) break;
    }
    return names;
  }

  async write(name: NoteName, bytes: Buffer): Promise<void> {
    checkNote(bytes);
    await this.#own.put(this.#before + name, bytes, 'application/json');
  }

  async remove(name: NoteName): Promise<void> {
    await this.#own.remove(this.#before + name);
  }
}
