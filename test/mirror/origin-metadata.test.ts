import { expect, it } from 'vitest';
import { metadataOf, storableHeaders } from '../../src/mirror/kept/origin-metadata.ts';

const HEAD = {
  size: 1,
  headers: {},
  etag: undefined,
  modifiedMs: undefined,
  metadata: {},
  origin: 'https://old.example/a',
};

it('tells the origin of an object', () => {
  const head = { ...HEAD, etag: 'W/"x"', modifiedMs: 0, metadata: { owner: 'me', 'isync-origin': 'a lie' } };
  expect(metadataOf(head)).toEqual({
    metadata: {
      'isync-origin-etag': 'W/"x"',
      'isync-origin-modified': '1970-01-01T00:00:00.000Z',
      'isync-origin': 'https://old.example/a',
      owner: 'me',
    },
    dropped: [],
  });
});

it('writes what is not ASCII as S3 tells it', () => {
  const utf8 = Buffer.from('Grüße').toString('latin1');
  const { metadata } = metadataOf({ ...HEAD, metadata: { utf8, latin1: 'Gr\xfc\xdfe', wide: '日本' } });
  expect(metadata).toMatchObject({
    utf8: '=?UTF-8?B?R3LDvMOfZQ==?=',
    latin1: '=?UTF-8?B?R3LDvMOfZQ==?=',
    wide: `=?UTF-8?B?${Buffer.from('日本').toString('base64')}?=`,
  });
});

it('leaves out what S3 has no room for, and names that no header has', () => {
  const metadata = { large: 'x'.repeat(1990), small: 'y', 'bad name': 'z', '': 'z' };
  const found = metadataOf({ ...HEAD, metadata });
  expect(found.dropped).toEqual(['large', 'bad name', '']);
  expect(found.metadata).toEqual({ 'isync-origin': HEAD.origin, small: 'y' });
});

it('keeps content headers, those that no server takes aside', () => {
  const headers = {
    contentType: 'text/html',
    contentEncoding: 'gzip',
    contentLanguage: 'd\xe4',
    contentDisposition: undefined,
    cacheControl: 'max-age=1',
    expires: new Date(Number.NaN),
  };
  expect(storableHeaders(headers)).toEqual({
    contentType: 'text/html',
    contentEncoding: 'gzip',
    contentLanguage: undefined,
    contentDisposition: undefined,
    cacheControl: 'max-age=1',
    expires: undefined,
  });
});

it.each([
  ['attachment; filename="a.pdf"', 'attachment; filename="a.pdf"'],
  [
    `attachment; filename="${Buffer.from('ä b.pdf').toString('latin1')}"`,
    `attachment; filename="__ b.pdf"; filename*=UTF-8''%C3%A4%20b.pdf`,
  ],
  ['inline; filename=\xe4.pdf', `inline; filename=_.pdf; filename*=UTF-8''%C3%A4.pdf`],
  [
    `attachment; filename="\xe4"; filename*=UTF-8''%C3%A4`,
    `attachment; filename="_"; filename*=UTF-8''%C3%A4`,
  ],
])('writes the disposition %j in ASCII', (given, expected) => {
  expect(storableHeaders({ contentDisposition: given }).contentDisposition).toBe(expected);
});
