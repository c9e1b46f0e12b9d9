import type { ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3';
import { askQuickly, shortText } from './ask.ts';

/** Longest page that is read, in bytes: 1,000 keys of 1 KiB, each byte encoded, and as much again beside them. */
const MOST_PAGE_BYTES = 8 * 1024 * 1024;

/** What is read of a page. */
export type QuickPage = Pick<
  ListObjectsV2CommandOutput,
  'Name' | 'IsTruncated' | 'NextContinuationToken' | 'EncodingType' | 'Contents'
>;

/**
 * A page of a listing (ListObjectsV2) as the SDK would give it; undefined where the SDK must ask. It makes an object of each
 * element of the XML, which takes ten times as much of the processor.
 * @param query beside `list-type`
 * @param headers names in lower case
 */
export async function quickList(
  client: S3Client,
  bucket: string,
  query: Readonly<Record<string, string | undefined>>,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<QuickPage | undefined> {
  const request = {
    kind: 'list',
    method: 'GET',
    bucket,
    key: '',
    query: { 'list-type': '2', ...query },
    headers,
  } as const;
  return await askQuickly(client, request, signal, async (answer) => {
    if (answer.statusCode !== 200) return undefined;
    const text = await shortText(answer, MOST_PAGE_BYTES);
    return text === undefined ? undefined : readPage(text);
  });
}

const BEGIN = /^(?:<\?xml[^>]*>\s*)?<ListBucketResult\b[^>]*>/;
const END = '</ListBucketResult>';
const ENTRY = { begin: '<Contents>', end: '</Contents>' };

/** Undefined for whatever is not as servers write it. */
export function readPage(text: string): QuickPage | undefined {
  // Comments and CDATA are for a real reader of XML.
  const xml = text.trim();
  if (!BEGIN.test(xml) || !xml.endsWith(END) || xml.includes('<!')) return undefined;
  const { entries, around } = parted(xml);
  const Contents: NonNullable<QuickPage['Contents']> = [];
  for (const entry of entries) {
    const [key, size, modified, etag] = [
      textIn(entry, 'Key'),
      textIn(entry, 'Size'),
      textIn(entry, 'LastModified'),
      textIn(entry, 'ETag'),
    ];
    const time = new Date(modified ?? '');
    if (key === undefined || size === undefined || !/^\d{1,15}$/.test(size) || Number.isNaN(time.getTime()))
      return undefined;
    Contents.push({
      Key: key,
      Size: Number(size),
      LastModified: time,
      ...(etag !== undefined && { ETag: etag }),
    });
  }
  const isTruncated = textIn(around, 'IsTruncated');
  if (isTruncated !== 'true' && isTruncated !== 'false') return undefined;
  return {
    Name: textIn(around, 'Name'),
    IsTruncated: isTruncated === 'true',
    NextContinuationToken: textIn(around, 'NextContinuationToken'),
    EncodingType: textIn(around, 'EncodingType') === 'url' ? 'url' : undefined,
    Contents,
  };
}

/** The texts of all entries, and what is around them. By no pattern: one that looks for an end anew from each beginning takes hours. */
function parted(xml: string): { readonly entries: readonly string[]; readonly around: string } {
  const entries: string[] = [];
  let around = '';
  let done = 0;
  for (;;) {
    const begin = xml.indexOf(ENTRY.begin, done);
    const end = begin === -1 ? -1 : xml.indexOf(ENTRY.end, begin);
    if (end === -1) return { entries, around: around + xml.slice(done) };
    around += xml.slice(done, begin);
    entries.push(xml.slice(begin + ENTRY.begin.length, end));
    done = end + ENTRY.end.length;
  }
}

const PATTERNS = new Map<string, RegExp>();

/** The text of the first element of that name. */
function textIn(xml: string, name: string): string | undefined {
  let pattern = PATTERNS.get(name);
  if (pattern === undefined) PATTERNS.set(name, (pattern = new RegExp(`<${name}>([^<]*)</${name}>`)));
  const text = pattern.exec(xml)?.[1];
  return text?.includes('&') === true ? text.replaceAll(/&(?:#(x?)([\da-f]+)|(\w+));/gi, characterOf) : text;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function characterOf(whole: string, hex: string | undefined, code: string | undefined, name = ''): string {
  if (code === undefined) return NAMED.get(name) ?? whole;
  const point = Number.parseInt(code, hex === undefined || hex === '' ? 10 : 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
}
