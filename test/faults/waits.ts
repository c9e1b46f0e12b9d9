/** What is being waited for, in words. */
export class Waits {
  readonly #open = new Set<{ readonly what: string }>();

  async during<T>(what: string, end: Promise<T>): Promise<T> {
    const wait = { what };
    this.#open.add(wait);
    try {
      return await end;
    } finally {
      this.#open.delete(wait);
    }
  }

  toString(): string {
    return [...this.#open].map(({ what }) => what).join(', ') || 'nothing that is known';
  }
}
