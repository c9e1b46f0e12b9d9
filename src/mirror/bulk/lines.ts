import { IsyncError } from '../../model/isync-error.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** What some programs begin a file with, to say that it is UTF-8. */
const MARK = '\ufeff';

/**
 * The lines of a file without their ends, and without empty ones. Holds one line at a time. What is not UTF-8 becomes U+FFFD.
 * @param most bytes of a line
 * @param what the file is, for people; undefined: of a longer line the beginning is given
 * @throws IsyncError CONFIG_INVALID for a longer one: then the file is something else
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  most: number,
  what: string | undefined,
): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array();
  let count = 0;
  /** @throws IsyncError */
  const cut = (line: Uint8Array): Uint8Array => {
    if (line.length <= most) return line;
    if (what === undefined) return line.subarray(0, most);
    const message = `line ${count + 1} is longer than ${most} bytes: this is no ${what}`;
    throw new IsyncError('CONFIG_INVALID', message);
  };
  const textOf = (whole: Uint8Array): string => {
    const line = cut(whole);
    count += 1;
    const end = line.at(-1) === RETURN ? line.length - 1 : line.length;
    const text = Buffer.from(line.buffer, line.byteOffset, end).toString();
    return count === 1 && text.startsWith(MARK) ? text.slice(MARK.length) : text;
  };
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = textOf(bytes.subarray(start, end));
      start = end + 1;
      if (line !== '') yield line;
    }
    // A copy: the chunk need not stay.
    rest = Uint8Array.from(cut(bytes.subarray(start)));
  }
  const last = textOf(rest);
  if (last !== '') yield last;
}
