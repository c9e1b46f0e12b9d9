/**
 * DisposableStack and AsyncDisposableStack for Node 22, which has `using` by the compiler alone. They do what we use of
 * https://tc39.es/proposal-explicit-resource-management/: the last one that was taken ends first, and all of them end, whatever one
 * of them throws.
 */

type End = () => unknown;

class Stack {
  #ends: End[] = [];
  #isDisposed = false;

  get disposed(): boolean {
    return this.#isDisposed;
  }

  defer(end: End): void {
    if (this.#isDisposed) throw new ReferenceError('the stack is disposed');
    this.#ends.push(end);
  }

  /** Those that are to be ended, in that order; from now on there is nothing left to end. */
  takeAll(): End[] {
    this.#isDisposed = true;
    const ends = this.#ends.toReversed();
    this.#ends = [];
    return ends;
  }
}

/** Of several errors the later one stands in front, as `using` has it. */
function both(error: unknown, earlier: { readonly error: unknown } | undefined): { readonly error: unknown } {
  if (earlier === undefined) return { error };
  const suppressing = new Error('an error was suppressed during disposal');
  return { error: Object.assign(suppressing, { name: 'SuppressedError', error, suppressed: earlier.error }) };
}

class SyncStack {
  readonly [Symbol.toStringTag] = 'DisposableStack';
  readonly #stack = new Stack();

  get disposed(): boolean {
    return this.#stack.disposed;
  }

  use<T extends Disposable | null | undefined>(value: T): T {
    if (value !== null && value !== undefined) this.defer(() => value[Symbol.dispose]());
    return value;
  }

  adopt<T>(value: T, end: (value: T) => void): T {
    this.defer(() => end(value));
    return value;
  }

  defer(end: () => void): void {
    this.#stack.defer(end);
  }

  move(): SyncStack {
    const moved = new SyncStack();
    for (const end of this.#stack.takeAll().toReversed()) moved.#stack.defer(end);
    return moved;
  }

  dispose(): void {
    let failed: { readonly error: unknown } | undefined;
    for (const end of this.#stack.takeAll())
      try {
        end();
      } catch (error) {
        failed = both(error, failed);
      }
    if (failed !== undefined) throw failed.error;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

class AsyncStack {
  readonly [Symbol.toStringTag] = 'AsyncDisposableStack';
  readonly #stack = new Stack();

  get disposed(): boolean {
    return this.#stack.disposed;
  }

  use<T extends AsyncDisposable | Disposable | null | undefined>(value: T): T {
    if (value !== null && value !== undefined)
      this.defer(() =>
        Symbol.asyncDispose in value ? value[Symbol.asyncDispose]() : value[Symbol.dispose](),
      );
    return value;
  }

  adopt<T>(value: T, end: (value: T) => PromiseLike<void> | void): T {
    this.defer(() => end(value));
    return value;
  }

  defer(end: () => PromiseLike<void> | void): void {
    this.#stack.defer(end);
  }

  move(): AsyncStack {
    const moved = new AsyncStack();
    for (const end of this.#stack.takeAll().toReversed()) moved.#stack.defer(end);
    return moved;
  }

  async disposeAsync(): Promise<void> {
    let failed: { readonly error: unknown } | undefined;
    for (const end of this.#stack.takeAll())
      try {
        await end();
      } catch (error) {
        failed = both(error, failed);
      }
    if (failed !== undefined) throw failed.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disposeAsync();
  }
}

const OURS = { DisposableStack: SyncStack, AsyncDisposableStack: AsyncStack };

/** Puts in what this Node lacks. To be called before anything of ours is opened. */
export function provideDisposableStacks(): void {
  for (const [name, value] of Object.entries(OURS))
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
}

/** For tests on a Node that has its own. */
export { AsyncStack, SyncStack };
