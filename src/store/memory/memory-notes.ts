import { checkNote, MAX_NOTES, type NoteName, type StoreNotes } from '../store-notes.ts';

export class MemoryNotes implements StoreNotes {
  readonly #notes: Map<NoteName, Buffer>;

  constructor(notes: Map<NoteName, Buffer>) {
    this.#notes = notes;
  }

  async read(name: NoteName): Promise<Buffer | undefined> {
    return this.#notes.get(name);
  }

  async list(): Promise<NoteName[]> {
    return [...this.#notes.keys()].slice(0, MAX_NOTES);
  }

  async write(name: NoteName, bytes: Buffer): Promise<void> {
    checkNote(bytes);
    this.#notes.set(name, Buffer.from(bytes));
  }

  async remove(name: NoteName): Promise<void> {
    this.#notes.delete(name);
  }
}
