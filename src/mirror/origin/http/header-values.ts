import { httpTime } from '../../http-date.ts';

/** Headers as undici tells them: names in lower case, values by Latin-1 without control characters, a repeated one as a list. */
export type HeadersIn = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The value of a header; those of one that is repeated, joined by ", ". Undefined where there is none, or an empty one. */
export function valueOf(headers: HeadersIn, name: string): string | undefined {
  const value = headers[name];
  const text = (typeof value === 'object' ? value.join(', ') : value)?.trim();
  return text === '' ? undefined : text;
}

/** Undefined where there is none, and where it is no date. In ms. */
export function timeOf(headers: HeadersIn, name: string): number | undefined {
  return httpTime(valueOf(headers, name));
}

/** Bytes of a header that were sent as UTF-8, which headers are not meant to have, as text; as Latin-1 where they are none. */
export function utf8In(value: string): string {
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? value : text;
}
