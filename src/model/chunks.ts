/** The chunks without their first `count` bytes, and without empty ones. */
export function withoutBytes(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  let rest = count;
  return chunks.flatMap((bytes) => {
    const skipped = Math.min(rest, bytes.length);
    rest -= skipped;
    return skipped === bytes.length ? [] : [bytes.subarray(skipped)];
  });
}
