import { describe, expect, it } from 'vitest';
import {
  MAX_BODY_BYTES,
  MAX_BRACKETS,
  MAX_RECORDS,
  parseMessage,
} from '../../src/events/parse/parse-message.ts';
import type { ParsedRecord } from '../../src/events/parse/parsed.ts';

const NAME = 'ObjectCreated:Put';

describe('of an event that lacks what nobody can do without', () => {
  it.each<[string, object]>([
    ['the name of the event is missing', { eventName: undefined }],
    ['the name of the event is missing', { eventName: null }],
    ['the name of the event is no text', { eventName: 7 }],
    ['the name of the event is empty', { eventName: '' }],
    [
      'the name of the event has a form that none can have',
      { eventName: `ObjectCreated:${'x'.repeat(100)}` },
    ],
    ['the name of the event has a form that none can have', { eventName: 'ObjectCreated:\nPut' }],
    ['the name of the bucket is missing', { s3: undefined }],
    ['the name of the bucket is missing', { s3: 'x' }],
    ['the name of the bucket is missing', { s3: [{ bucket: { name: 'abc' } }] }],
    ['the name of the bucket is no text', s3({ bucket: { name: 5 } })],
    ['the name of the bucket has a form that none can have', s3({ bucket: { name: '..' } })],
    ['the name of the bucket has a form that none can have', s3({ bucket: { name: 'a/../b' } })],
    [
      'the name of the bucket has a form that none can have',
      s3({ bucket: { name: 'arn:aws:s3:us-east-1:1:accesspoint/x' } }),
    ],
    ['the key is missing', s3({ object: {} })],
    ['the key is missing', s3({ object: { key: null } })],
    ['the key is no text', s3({ object: { key: ['a'] } })],
    ['the key is no text', s3({ object: { key: 12 } })],
    ['the key is empty', s3({ object: { key: '' } })],
    ['the version of the record is neither 1 nor 2', { eventVersion: '3.0' }],
    ['the version of the record is neither 1 nor 2', { eventVersion: { toString: 1 } }],
    ['the version of the record is neither 1 nor 2', { eventVersion: '20' }],
  ])('says that %s', (reason, changes) => {
    expect(parse(message(record(changes)))).toMatchObject([{ outcome: 'unparsable', reason }]);
  });
});

it.each(['1.0', '1.9', '2', '2.0', '2.3', '2.6', '2.99', 2, 2.1, undefined, null])(
  'takes the version %s',
  (eventVersion) => {
    expect(parse(message(record({ eventVersion })))).toMatchObject([{ outcome: 'event' }]);
  },
);

it.each([
  ['vk', { sequencer: 5 }, '2026-01-01T00:00:00Z'],
  ['vk', { sequencer: '5' }, undefined],
  ['aws', { sequencer: '5' }, '2026-01-01T00:00:00Z'],
])('takes one of version 1 for %s with %j and the time %s', (dialect, more, eventTime) => {
  const changes = { eventVersion: '1.0', eventTime, ...s3({ object: { key: 'k', ...more } }) };
  expect(parse(message(record(changes)))).toHaveProperty('0.event.dialect', dialect);
});

describe('of a form-encoded key', () => {
  it.each([
    ['a+b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['a%2fb%2Fc', 'a/b/c'],
    ['%D0%B4', 'д'],
    ['д+%F0%9F%98%80', 'д 😀'],
    ['%25', '%'],
    ['..%2F..%2Fetc', '../../etc'],
    ['a%00b', 'a\0b'],
    ['__proto__', '__proto__'],
  ])('reads %s', (written, key) => {
    expect(parse(message(record(s3({ object: { key: written } }))))).toHaveProperty('0.event.key', key);
  });

  it.each([
    ['%', 'the key has a "%" without two hexadecimal digits'],
    ['a%2', 'the key has a "%" without two hexadecimal digits'],
    ['a%zzb', 'the key has a "%" without two hexadecimal digits'],
    ['100%+done', 'the key has a "%" without two hexadecimal digits'],
    ['%E0%A4', 'the key has escapes that are not UTF-8'],
    ['%FF', 'the key has escapes that are not UTF-8'],
    // "/" on two bytes, and half of a surrogate pair.
    ['%C0%AF', 'the key has escapes that are not UTF-8'],
    ['%ED%A0%80', 'the key has escapes that are not UTF-8'],
    ['a\uD800', 'the key is not well-formed Unicode'],
    ['x'.repeat(1025), 'the key is longer than 1024 bytes'],
    ['д'.repeat(513), 'the key is longer than 1024 bytes'],
  ])('refuses %s', (key, reason) => {
    expect(parse(message(record(s3({ object: { key } }))))).toMatchObject([
      { outcome: 'unparsable', reason },
    ]);
  });

  it('takes one of 1,024 bytes, whatever its escapes take', () => {
    const key = '%D0%B4'.repeat(512);
    expect(parse(message(record(s3({ object: { key } }))))).toHaveProperty('0.event.key', 'д'.repeat(512));
  });
});

describe('what an event may lack is undefined where it is nonsense', () => {
  it.each<[string, unknown, unknown]>([
    ['size', 5, 5],
    ['size', '5', 5],
    ['size', '', undefined],
    ['size', -1, undefined],
    ['size', 1.5, undefined],
    ['size', '0x10', undefined],
    ['size', 1e300, undefined],
    ['size', [5], undefined],
    ['eTag', '"abc-2"', 'abc-2'],
    ['eTag', 'abc', 'abc'],
    ['eTag', '', undefined],
    ['eTag', '""', undefined],
    ['eTag', 'a b', undefined],
    ['eTag', 'x'.repeat(129), undefined],
    ['versionId', '', undefined],
    ['versionId', 'null', 'null'],
    ['versionId', 3, undefined],
    ['sequencer', 1577453615, '1577453615'],
    ['sequencer', '0055AED6', '0055AED6'],
    ['sequencer', 'z', undefined],
    ['sequencer', -1, undefined],
    ['sequencer', 1e30, undefined],
    ['sequencer', {}, undefined],
  ])('%s %j is %j', (field, told, taken) => {
    const [parsed] = parse(message(record(s3({ object: { key: 'k', [field]: told } }))));
    expect(parsed).toHaveProperty(`event.${field === 'eTag' ? 'etag' : field}`, taken);
  });

  it.each<[unknown, number | undefined]>([
    ['1970-01-01T00:00:00.000Z', 0],
    ['1970-01-01T00:00:01Z', 1000],
    ['1970-01-01T00:00:00.123456Z', 123],
    ['1970-01-01T03:00:00+03:00', 0],
    ['1970-01-01T00:00:00', undefined],
    ['2026-13-45T99:99:99Z', undefined],
    ['yesterday', undefined],
    ['2026', undefined],
    [0, undefined],
    [undefined, undefined],
  ])('the time %j is %j', (eventTime, timeMs) => {
    expect(parse(message(record({ eventTime })))).toHaveProperty('0.event.timeMs', timeMs);
  });

  it.each([
    ['eu-central-1', 'eu-central-1'],
    ['', undefined],
    ['evil.example/', undefined],
    [7, undefined],
  ])('the region %j is %j', (awsRegion, region) => {
    expect(parse(message(record({ awsRegion })))).toHaveProperty('0.event.region', region);
  });
});

describe('a message that is none', () => {
  it.each([
    ['', 'the message is not JSON'],
    ['hello', 'the message is not JSON'],
    ['{"Records":[', 'the message is not JSON'],
    ['null', 'the message is no JSON object'],
    ['7', 'the message is no JSON object'],
    ['"{}"', 'the message is no JSON object'],
    ['[]', 'the message is no JSON object'],
    ['{}', 'the message is of no kind that tells of objects'],
    ['{"__proto__":{"Records":[]}}', 'the message is of no kind that tells of objects'],
    ['{"Records":null}', 'the Records of the message are no list'],
    ['{"Records":{"length":1}}', 'the Records of the message are no list'],
    ['{"Records":[7]}', 'the record is no object'],
    ['{"Records":[[]]}', 'the record is no object'],
    ['{"Records":[null]}', 'the record is no object'],
    ['{"detail-type":7}', 'the name of the event is no text'],
    ['{"detail-type":"Object Created","detail":[]}', 'the name of the bucket is missing'],
    ['{"Type":"Notification","Message":{}}', 'the message is of no kind that tells of objects'],
    ['{"Type":"Notification","Message":"hello"}', 'the message is not JSON'],
    [envelope(envelope(message(record()))), 'the message is of no kind that tells of objects'],
    ['{"EventName":"s3:ObjectCreated:Put","Key":"b/k"}', 'the message is of no kind that tells of objects'],
  ])('is parked whole: %s', (body, reason) => {
    const [parsed, ...more] = parse(body);
    expect(more).toEqual([]);
    if (parsed?.outcome !== 'unparsable') throw new Error(`it is ${parsed?.outcome}`);
    expect(parsed.reason).toBe(reason);
    expect(parsed.source.body()).toBe(body);
  });

  it('is one with too many records', () => {
    const body = `{"Records":[${'{},'.repeat(MAX_RECORDS)}{}]}`;
    expect(parse(body)).toMatchObject([{ reason: `the message has more than ${MAX_RECORDS} records` }]);
    expect(parse(`{"Records":[${'{},'.repeat(MAX_RECORDS - 1)}{}]}`)).toHaveLength(MAX_RECORDS);
  });

  it('is one with too many objects and lists, in an envelope too', () => {
    const of = (count: number): string => message(record({ x: Array.from({ length: count }, () => []) }));
    const reason = `the message has more than ${MAX_BRACKETS} objects and lists`;
    // Message, Records, record, s3, bucket, object, x.
    expect(parse(of(MAX_BRACKETS - 7))).toMatchObject([{ outcome: 'event' }]);
    expect(parse(of(MAX_BRACKETS - 6))).toMatchObject([{ outcome: 'unparsable', reason }]);
    expect(parse(envelope(of(MAX_BRACKETS - 6)))).toMatchObject([{ outcome: 'unparsable', reason }]);
    const escaped = envelope(of(MAX_BRACKETS - 6)).replaceAll('[', String.raw`\u005b`);
    expect(parse(escaped)).toMatchObject([{ outcome: 'unparsable', reason }]);
  });

  it('is one that is too long, in bytes', () => {
    const reason = `the message is longer than ${MAX_BODY_BYTES} bytes`;
    const fits = message(record()).padEnd(MAX_BODY_BYTES);
    expect(parse(fits)).toMatchObject([{ outcome: 'event' }]);
    expect(parse(`${fits} `)).toMatchObject([{ reason }]);
    expect(parse(JSON.stringify('д'.repeat(MAX_BODY_BYTES / 2)))).toMatchObject([{ reason }]);
  });
});

it('counts a message without records', () => {
  expect(parse('{"Records":[]}')).toEqual([{ outcome: 'ignored', dialect: 'aws', name: 'no records' }]);
});

it('parks one record alone, with its very text, however deep it nests', () => {
  const deep = '['.repeat(30_000) + ']'.repeat(30_000);
  const bad = ` {"eventName": 12345678901234567890, "a": ${deep}} `;
  const good = JSON.stringify(record());
  const parsed = parse(
    `{"Records":["early"],"Rec\\u006frds":[${good},${bad},${good}],"x":[1,{"Records":[2]}]}`,
  );
  expect(parsed.map(({ outcome }) => outcome)).toEqual(['event', 'unparsable', 'event']);
  expect(sourceOf(parsed[1])).toBe(`{"Records":[${bad}]}`);
  expect(sourceOf(parsed[2])).toBe(`{"Records":[${good}]}`);
});

function record(changes: object = {}): object {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventName: NAME,
    eventTime: '2026-01-01T00:00:00Z',
    ...s3({ object: { key: 'k' } }),
    ...changes,
  };
}

function s3(parts: object): object {
  return { s3: { bucket: { name: 'transport-dev' }, ...parts } };
}

function message(...records: readonly object[]): string {
  return JSON.stringify({ Records: records });
}

function envelope(text: string): string {
  return JSON.stringify({ Type: 'Notification', Message: text });
}

function parse(body: string): readonly ParsedRecord[] {
  return parseMessage(body, { keyEncoding: 'auto' });
}

function sourceOf(parsed: ParsedRecord | undefined): string | undefined {
  return parsed === undefined || parsed.outcome === 'ignored' ? undefined : parsed.source.body();
}
