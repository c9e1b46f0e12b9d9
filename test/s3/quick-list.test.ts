import { expect, it } from 'vitest';
import { readPage } from '../../src/s3/quick/list.ts';

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
const ENTRY =
  '<Contents><Key>a%2Bb</Key><LastModified>2026-11-26T22:00:00.123Z</LastModified><ETag>&quot;abc&quot;</ETag>' +
  '<Size>42</Size><StorageClass>STANDARD</StorageClass><Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner></Contents>';
const page = (entries: string, more = ''): string =>
  `${HEAD}<Name>b</Name><Prefix></Prefix><IsTruncated>true</IsTruncated>${more}` +
  `<EncodingType>url</EncodingType>${entries}</ListBucketResult>`;

it('reads what servers tell of a page', () => {
  const more = '<NextContinuationToken>x &amp; &#60;&#x3e;y</NextContinuationToken>';
  expect(readPage(page(ENTRY, more))).toEqual({
    Name: 'b',
    IsTruncated: true,
    NextContinuationToken: 'x & <>y',
    EncodingType: 'url',
    Contents: [{ Key: 'a%2Bb', Size: 42, LastModified: new Date('2026-11-26T22:00:00.123Z'), ETag: '"abc"' }],
  });
  expect(readPage(page(''))).toMatchObject({ Contents: [], NextContinuationToken: undefined });
});

it.each([
  ['is cut', page(ENTRY).slice(0, -1)],
  ['is of something else', '<html><body>Hello</body></html>'],
  ['is an error', '<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'],
  ['has a comment', page(`<!-- ${ENTRY} -->`)],
  ['has CDATA', page(ENTRY.replace('a%2Bb', '<![CDATA[a]]>'))],
  ['has an object without a key', page(ENTRY.replace(/<Key>.*<\/Key>/, ''))],
  ['has a size that is no number', page(ENTRY.replace('42', '1e3'))],
  ['has a time that is none', page(ENTRY.replace('2026', 'abc'))],
  ['does not say whether more follows', page(ENTRY).replace('true', 'maybe')],
])('leaves a page that %s to the SDK', (_, text) => {
  expect(readPage(text)).toBeUndefined();
});

it('takes no longer for a hostile page than for a good one', () => {
  const many = (text: string): string => text.repeat(4_000_000 / text.length);
  // Where an end was looked for anew from each beginning, these took hours.
  expect(readPage(page(many('<Contents>')))).toMatchObject({ Contents: [] });
  expect(readPage(`${many(' ')}x${many(' ')}`)).toBeUndefined();
  expect(readPage(`${HEAD}${many(' ')}x`)).toBeUndefined();
});
