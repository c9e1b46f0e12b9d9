/** The same pieces. `ended` is called once, with the bytes that were taken, when no more are. */
export function countedBody(
  body: AsyncIterable<Uint8Array>,
  ended: (bytes: number) => void,
): AsyncIterableIterator<Uint8Array, undefined> {
  const pieces = body[Symbol.asyncIterator]();
  let bytes = 0;
  let isOver = false;
  const over = (): void => {
    if (!isOver) ended(bytes);
    isOver = true;
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const { done, value } = await pieces.next();
        if (done !== true) {
          bytes += value.length;
          return { done: false, value };
        }
      } catch (error) {
        over();
        throw error;
      }
      over();
      return { done: true, value: undefined };
    },
    async return() {
      over();
      await pieces.return?.();
      return { done: true, value: undefined };
    },
  };
}
