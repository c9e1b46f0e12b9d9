import { describe, expect, it } from 'vitest';
import { compared, isAsPut, isChanged } from '../../../src/mirror/bulk/compare.ts';
import type { ObjectFacts } from '../../../src/s3/look.ts';

const MD5 = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const AT = Date.parse('2026-01-01T00:00:00.500Z');

/** As a mirror has put it. */
function kept(more: Partial<ObjectFacts> = {}): ObjectFacts {
  return {
    size: 9,
    etag: MD5,
    modifiedMs: AT,
    versionId: undefined,
    encryption: undefined,
    hasCustomerKey: false,
    storageClass: undefined,
    checksums: {},
    tagCount: 0,
    metadata: {
      'isync-filled-by': 'fill',
      'isync-size': '9',
      'isync-md5': MD5,
      'isync-origin-etag': `"${MD5}-2"`,
      'isync-origin-modified': new Date(AT).toISOString(),
    },
    headers: {},
    ...more,
  };
}

const ORIGIN = { size: 9, etag: `"${MD5}-2"`, modifiedMs: AT, hasMd5: true };

describe('an object of an old bucket that was put in parts', () => {
  it('is the same by its ETag, while nobody has changed either', () => {
    expect(compared(kept(), ORIGIN)).toEqual({ kind: 'same', by: 'etag' });
    expect(isChanged(kept(), ORIGIN)).toBe(false);
  });

  it('was kept in parts, too: the same', () => {
    const inParts = kept({ etag: `${OTHER}-3` });
    expect(isAsPut(inParts)).toBe(true);
    expect(compared(inParts, ORIGIN)).toEqual({ kind: 'same', by: 'etag' });
  });

  it('has changed where its ETag has, though within the second', () => {
    const origin = { ...ORIGIN, etag: `"${OTHER}-2"` };
    expect(isChanged(kept(), origin)).toBe(true);
    expect(compared(kept(), origin)).toMatchObject({ kind: 'different' });
    // Of a web server, whose machines may each have an ETag of their own, only the time counts.
    expect(isChanged(kept(), { ...origin, hasMd5: false })).toBe(false);
  });

  it('is an older version there by now: not changed', () => {
    expect(isChanged(kept(), { ...ORIGIN, etag: `"${OTHER}-2"`, modifiedMs: AT - 5000 })).toBe(false);
  });

  it('tells nothing but its size of what an application has put in its place', () => {
    const theirs = kept({ etag: OTHER });
    expect(isAsPut(theirs)).toBe(false);
    expect(compared(theirs, ORIGIN)).toEqual({ kind: 'same', by: 'size' });
    expect(compared(kept({ etag: OTHER, size: 8 }), ORIGIN)).toMatchObject({ kind: 'different' });
  });
});
