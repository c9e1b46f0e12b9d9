import { describe, expect, it } from 'vitest';
import { parsePlace, type ReceiverPlace, showReceiverPlace } from '../../src/config/place-address.ts';

function receiver(text: string): ReceiverPlace {
  const place = parsePlace(text);
  if (place.kind !== 'receiver') throw new Error(`${text} is a ${place.kind}`);
  return place;
}

describe('a place at a receiver', () => {
  it.each([
    ['ws://host', 'ws://host:7400/', ''],
    ['ws://host:1/', 'ws://host:1/', ''],
    ['wss://host/edge1', 'wss://host:7400/', 'edge1'],
    ['wss://host:1/edge1/DC1/', 'wss://host:1/', 'edge1/DC1'],
    ['wss://host/isync//edge1/DC1/sub/f', 'wss://host:7400/isync', 'edge1/DC1/sub/f'],
    ['wss://host/isync//', 'wss://host:7400/isync', ''],
    ['ws://host//edge1', 'ws://host:7400/', 'edge1'],
    ['ws://host/edge1/a b/%25/ü', 'ws://host:7400/', 'edge1/a b/%/ü'],
    ['ws://host/edge1/../edge2', 'ws://host:7400/', 'edge2'],
  ])('%s is a device and what it has', (text, url, place) => {
    const found = receiver(text);
    expect([found.url.href, found.place]).toEqual([url, place]);
    // As it is shown, it is the same place.
    const again = receiver(showReceiverPlace(found));
    expect([again.url.href, again.place]).toEqual([url, place]);
  });

  it.each([
    ['ws://host/.isync', 'no name of a device'],
    ['ws://host/a%2Fb', 'has a "/" within a name'],
    ['ws://host/edge1/%zz', 'no %-escape'],
    ['ws://host/edge1/%00', 'no file can have'],
    ['ws://host/edge1/%2e%2e%2fx', '"/"'],
    ['ws://host/edge1?x', 'has a "?"'],
    ['ws://me:secret@host/edge1', 'user name or password'],
  ])('%s is none', (text, why) => {
    expect(() => parsePlace(text)).toThrow(why);
  });

  it('is not taken for a store', () => {
    expect(parsePlace('/srv/isync/edge1')).toEqual({ kind: 'folder', path: '/srv/isync/edge1' });
    expect(parsePlace('s3://bucket/site/edge1')).toMatchObject({ kind: 's3', prefix: 'site/edge1' });
    expect(() => parsePlace('http://host/edge1')).toThrow('has the scheme "http"');
  });
});
