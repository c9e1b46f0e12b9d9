import type { RecordName } from './record-file.ts';

/** Which records are parked, by their names: some 300 bytes each. */
export class ParkedIndex {
  readonly #byId = new Map<string, RecordName>();
  readonly #byKey = new Map<string, Set<string>>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): RecordName | undefined {
    return this.#byId.get(id);
  }

  all(): RecordName[] {
    return [...this.#byId.values()];
  }

  /** Ids of what is parked for a key. */
  ofKey(keyId: string): string[] {
    return [...(this.#byKey.get(keyId) ?? [])];
  }

  /** Takes the place of what has the same id. */
  add(record: RecordName): void {
    this.delete(record.id);
    this.#byId.set(record.id, record);
    const { id, keyId } = record;
    if (keyId === undefined) return;
    const ids = this.#byKey.get(keyId);
    if (ids === undefined) this.#byKey.set(keyId, new Set([id]));
    else ids.add(id);
  }

  delete(id: string): void {
    const keyId = this.#byId.get(id)?.keyId;
    this.#byId.delete(id);
    if (keyId === undefined) return;
    const ids = this.#byKey.get(keyId);
    ids?.delete(id);
    if (ids?.size === 0) this.#byKey.delete(keyId);
  }
}
