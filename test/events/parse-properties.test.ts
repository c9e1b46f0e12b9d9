import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementTexts } from '../../src/events/parse/element-texts.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import type { ParsedRecord } from '../../src/events/parse/parsed.ts';

describe('whatever JSON a message is', () => {
  // Real names at the places where they count, and any JSON elsewhere.
  const any = fc.jsonValue({ maxDepth: 3 });
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('a%2Fb', '%', '+', '%FF'),
  );
  const some = (...known: readonly unknown[]): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: any });
  const object = fc.record(
    { key: fc.oneof(text, any), size: any, eTag: any, sequencer: any },
    { requiredKeys: [] },
  );
  const told = fc.record(
    {
      eventVersion: some('2.1', '1.0', 2),
      eventSource: some('aws:s3', 'minio:s3', 'ceph:s3', 'x'),
      eventName: some(
        'ObjectCreated:Put',
        's3:ObjectRemoved:Delete',
        'ObjectAcl:Put',
        '__proto__',
        'constructor',
      ),
      eventTime: some('2026-01-01T00:00:00Z', undefined),
      s3: fc.record({ bucket: fc.record({ name: some('abc', 'd-e') }), object }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  const eventBridge = fc.record({
    'detail-type': some('Object Created', 'Object Deleted', 'x'),
    detail: fc.record({ bucket: fc.record({ name: some('abc') }), object }),
  });
  const records = fc.record({ Records: fc.array(fc.oneof(told, any), { maxLength: 4 }) });
  const plain = fc.oneof(records, eventBridge, any).map((value) => JSON.stringify(value) ?? '');
  const bodies = fc.oneof(plain, plain.map(envelope));
  const options = fc.record({
    keyEncoding: fc.constantFrom('auto' as const, 'form' as const, 'raw' as const),
  });

  it('gives each record again from its source', () => {
    fc.assert(
      fc.property(bodies, options, (body, how) => {
        for (const parsed of parseMessage(body, how)) {
          if (parsed.outcome === 'ignored') continue;
          expect(parseMessage(parsed.source.body(), how).map(said)).toEqual([said(parsed)]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('says of each record what it says of it alone', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(told, any), { minLength: 1, maxLength: 5 }), options, (all, how) => {
        const apart = all.flatMap((each) => parseMessage(JSON.stringify({ Records: [each] }), how));
        expect(parseMessage(JSON.stringify({ Records: all }), how).map(said)).toEqual(apart.map(said));
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds the text of each element', () => {
    const lists = fc.record({ a: any, Records: fc.array(any), z: any });
    fc.assert(
      fc.property(lists, fc.constantFrom('', ' ', '\t'), (value, indent) => {
        const texts = elementTexts(JSON.stringify(value, undefined, indent), 'Records');
        expect(texts.map((each): unknown => JSON.parse(each))).toEqual(
          JSON.parse(JSON.stringify(value.Records)),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

function envelope(text: string): string {
  return JSON.stringify({ Type: 'Notification', Message: text });
}

/** What a record says, without its source. */
function said(parsed: ParsedRecord): object {
  if (parsed.outcome === 'ignored') return parsed;
  const { source: _, ...rest } = parsed;
  return rest;
}
