/** The head of an answer of HTTP/1.1. */
export interface AnswerHead {
  readonly status: number;
  /** Names in lower case, each character a byte; the values of a name that comes more than once joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** Its value with the blanks around it: a pattern that leaves these out takes minutes for a line of blanks. */
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/;

/**
 * Reads the head of an answer as RFC 9112 has it, and nothing looser: two readers that take one head for different ones are how
 * answers get mixed up.
 * @param text Latin-1, up to the empty line and without it
 * @returns undefined where it is anything else
 */
export function readAnswerHead(text: string): AnswerHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = STATUS_LINE.exec(first)?.[1];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, padded] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined || padded === undefined) return undefined;
    const value = withoutBlanks(padded);
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status), headers };
}

/** Blanks and tabs alone: `trim` takes no-break spaces too. */
function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/** Whether the answer ends after just so many bytes, by its own words. */
export function hasLength({ headers }: AnswerHead, bytes: number): boolean {
  return headers.get('content-length') === String(bytes) && !headers.has('transfer-encoding');
}

/** Whether another answer may come over the same connection. */
export function staysOpen({ headers }: AnswerHead): boolean {
  return (headers.get('connection') ?? 'keep-alive').toLowerCase() === 'keep-alive';
}
