import type { GetAnswer } from '../content.ts';
import type { AnswerHead } from './answer-head.ts';
import type { QuickReads } from './reads.ts';
import { outputOf } from './output.ts';

/** What becomes of an object by its size, in bytes. */
export interface WholeSizes {
  /** Up to so many are taken at once, into memory. */
  readonly whole: number;
  /** Of more than so many the caller reads ranges: the bytes of this answer do not come. */
  readonly most: number;
}

/**
 * The answer of a GET as the SDK would give it, its body a buffer, or none where the object has more than `sizes.most` bytes; 'same'
 * where a condition among the headers says so; 'between' where it has more bytes than are taken at once; undefined where
 * the SDK must ask.
 * @param headers names in lower case
 */
export async function quickWhole(
  { connections, wholes }: QuickReads,
  where: { readonly bucket: string; readonly key: string },
  headers: Readonly<Record<string, string>>,
  sizes: WholeSizes,
  signal: AbortSignal | undefined,
): Promise<GetAnswer | 'same' | 'between' | undefined> {
  return await wholes.try(async () => {
    const come: { head?: AnswerHead; body?: Buffer | undefined } = {};
    const coming = await connections.ask(
      { method: 'GET', ...where, headers },
      (head) => {
        come.head = head;
        come.body = placeFor(head, sizes);
        return come.body;
      },
      signal,
    );
    const { head, body } = come;
    if (head === undefined) return undefined;
    if (coming === undefined) return unread(head, sizes);
    await coming.full;
    return head.status === 304 ? 'same' : { ...outputOf(Object.fromEntries(head.headers)), Body: body };
  }, signal);
}

function placeFor(head: AnswerHead, { whole }: WholeSizes): Buffer | undefined {
  if (head.status === 304) return Buffer.alloc(0);
  const size = sizeOf(head);
  return size <= whole ? Buffer.allocUnsafe(size) : undefined;
}

/** What is told of an object by the head alone. */
function unread(head: AnswerHead, { whole, most }: WholeSizes): GetAnswer | 'between' | undefined {
  const size = sizeOf(head);
  if (size > most) return outputOf(Object.fromEntries(head.headers));
  return size > whole ? 'between' : undefined;
}

/** Of the plain answer with an object; NaN for any other one. The SDK alone compares checksums. */
function sizeOf({ status, headers }: AnswerHead): number {
  if (status !== 200 || headers.has('transfer-encoding')) return NaN;
  for (const name of headers.keys()) if (name.startsWith('x-amz-checksum-')) return NaN;
  const told = headers.get('content-length') ?? '';
  return /^\d{1,15}$/.test(told) ? Number(told) : NaN;
}
