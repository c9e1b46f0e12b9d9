import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyParts } from '../../src/events/http/body-parts.ts';
import { findRecords } from '../../src/events/http/find-records.ts';
import { HttpError } from '../../src/http/handler.ts';
import { record } from './http-support.ts';

describe('a body', () => {
  it('is read as JSON.parse reads it, and refused where that refuses', () => {
    fc.assert(
      fc.property(text, (body) => {
        expect(readInParts(body)).toEqual(readAsOne(body));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '{"Records":[1],"Records":[2,3]}',
    '{"Records":[1],"Records":7}',
    '{"Records":7,"Records":[1]}',
    '{"Records":[1,],"Records":[2]}',
    '{"\\u0052ecords":[1]}',
    '{"Record\\":[1]}',
    '{"x":{"Records":[1]}}',
    '["Records",[1]]',
    '{"Records":[ \t\r\n]}',
    '{"Records":[1,]}',
    '{"Records":[,1]}',
    '{"Records":[{]]}',
    '{"Records":[1}}',
    '{"Records":[1]',
    '{"Records":[1]}{"Records":[2]}',
    '{"Records":[1] [2]}',
    '{"a":"Records",[1]}',
    '{"Records":[[1,2],{"a":[3,4]},"],[","\\",\\""]}',
    '\uFEFF{"Records":[1]}',
    '',
  ])('is read as JSON.parse reads it: %s', (body) => {
    expect(readInParts(body)).toEqual(readAsOne(body));
  });

  it('gives each record as a message of its own, as it stands there', () => {
    const parts = new BodyParts(
      Buffer.from('{"Records":[{"n":12345678901234567890} , {"k":"\u00FC\uD83D\uDE00"}],"x":1}'),
    );
    expect([parts.source(0).body(), parts.source(1).body()]).toEqual([
      '{"Records":[{"n":12345678901234567890} ]}',
      '{"Records":[ {"k":"\u00FC\uD83D\uDE00"}]}',
    ]);
  });

  it.each([
    ['records', `{"Records":[${'1,'.repeat(10_000)}1]}`],
    ['records in a list that does not count', `{"Records":[${'1,'.repeat(10_000)}1],"Records":[]}`],
    ['lists in a record', `{"Records":[1,[${'[],'.repeat(10_000)}1]]}`],
    ['lists beside the records', `{"x":[${'[],'.repeat(10_000)}1],"Records":[1]}`],
    ['numbers in a record', `{"Records":[[${'1,'.repeat(20_001)}1],1]}`],
    ['numbers beside the records', `{"Records":[1],"x":[${'1,'.repeat(20_001)}1]}`],
    ['bytes in a record', `{"Records":["${'x'.repeat(1024 * 1024)}"]}`],
    ['bytes beside the records', `{"Records":[1],"x":"${'x'.repeat(1024 * 1024)}"}`],
  ])('with too many %s is refused before it is parsed', (_, body) => {
    expect(() => findRecords(Buffer.from(body))).toThrow(HttpError);
    expect(readInParts(body)).toBe(413);
  });

  it('may have ten thousand records', () => {
    const records = Array.from({ length: 10_000 }, (_, index) => record(`${index}`));
    expect(readInParts(JSON.stringify({ Records: records }))).toEqual({ Records: records });
  });

  it('is refused in linear time, whatever stands in front of its lists', () => {
    const name = 'R'.repeat(500_000);
    const startMs = performance.now();
    readInParts(`{"${name}"${':[]'.repeat(150_000)}`);
    readInParts('{"Records":['.repeat(80_000));
    // With the name looked at for each list it is minutes.
    expect(performance.now() - startMs).toBeLessThan(10_000);
  });
});

const value = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 }).map((list) => JSON.stringify(list)),
);

/** JSON, or nearly so: with records, with brackets and quotes in its texts, changed at a place. */
const text = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom('"Records"', '"x"', '"\\u0052ecords"', '"Rec\\""'), value), {
      maxLength: 4,
    }),
    fc.constantFrom('', ' ', '\n'),
    fc.option(
      fc.tuple(
        fc.nat(),
        fc.nat({ max: 3 }),
        fc.constantFrom('', '"', '\\', ',', '[', ']', '{', '}', '1', ' '),
      ),
      { freq: 2 },
    ),
  )
  .map(([members, blank, change]) => {
    const json = `{${members.map(([name, value]) => `${blank}${name}${blank}:${value}${blank}`).join(',')}}`;
    if (change === null) return json;
    const [place, cut, put] = change;
    const at = place % json.length;
    return json.slice(0, at) + put + json.slice(at + cut);
  });

/** What is refused is told by its status. */
function readInParts(body: string): unknown {
  try {
    const parts = new BodyParts(Buffer.from(body));
    const records = Array.from({ length: parts.count }, (_, index) => parts.record(index));
    const { value } = parts;
    if (typeof value !== 'object' || value === null || !('Records' in value)) return value;
    return Array.isArray(value.Records) ? { ...value, Records: records } : value;
  } catch (error) {
    if (error instanceof HttpError) return error.status;
    throw error;
  }
}

function readAsOne(body: string): unknown {
  try {
    return JSON.parse(body.replace(/^\uFEFF/, ''));
  } catch {
    return 400;
  }
}
