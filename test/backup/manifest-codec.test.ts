import { describe, expect, it } from 'vitest';
import {
  decodeJobObject,
  decodeManifest,
  decodeMark,
  encodeJobObject,
  encodeManifest,
  encodeMark,
  MAX_MANIFEST_BYTES,
} from '../../src/backup/manifest/manifest-codec.ts';
import type { Manifest } from '../../src/backup/manifest/manifest.ts';

const NAME = 'app_incremental_20250405T120000Z_002.tar.zst';
const stored = (key: string) => ({ key, size: 10, sha256: 'b'.repeat(64) });
const MANIFEST: Manifest = {
  format: 1,
  madeBy: 'isync 1.0',
  job: 'app',
  jobId: '3f0b0c3e-6a4e-4a8f-9a5b-0c6f4b1f9a11',
  run: 'run',
  name: NAME,
  version: 2,
  type: 'incremental',
  startedMs: Date.UTC(2025, 3, 5, 12),
  finishedMs: Date.UTC(2025, 3, 5, 13),
  timezone: 'Asia/Shanghai',
  compress: 'zstd',
  isEncrypted: false,
  archive: stored(NAME),
  list: { ...stored(`${NAME}.files`), records: 4 },
  needs: [
    { ...stored('app_full_20250404T120000Z_001.tar.zst'), version: 1 },
    { ...stored(NAME), version: 2 },
  ],
  base: 1,
  counts: {
    files: 3,
    directories: 1,
    symlinks: 0,
    bytes: 30,
    storedFiles: 1,
    storedBytes: 5,
    special: 0,
    own: 0,
    excluded: 0,
    torn: 0,
    problems: 1,
  },
  problems: [{ path: 'srv/a', code: 'FILE_UNREADABLE', message: 'EACCES' }],
  isShrunk: false,
  tags: { env: 'production' },
};

function changed(change: object): Buffer {
  return Buffer.from(
    JSON.stringify({ ...(JSON.parse(encodeManifest(MANIFEST).toString()) as object), ...change }),
  );
}

describe('a manifest', () => {
  it('reads back as it was written, and people can read its times', () => {
    expect(decodeManifest(encodeManifest(MANIFEST), 'k')).toEqual(MANIFEST);
    expect(encodeManifest(MANIFEST).toString()).toContain('"started": "2025-04-05T12:00:00.000Z"');
  });

  it('may have what a later isync adds', () => {
    expect(decodeManifest(changed({ later: 1 }), 'k')).toEqual(MANIFEST);
  });

  it('of a format that is not known yet is told so', () => {
    expect(() => decodeManifest(changed({ format: 2 }), 'k')).toThrow(
      expect.objectContaining({ code: 'VERSION_UNSUPPORTED', path: 'k' }),
    );
  });

  it.each([
    ['a key in another folder', { name: '../x', archive: stored('../x') }],
    ['a key below', { list: { ...stored('a/b'), records: 1 } }],
    ['a key of the folder itself', { list: { ...stored('..'), records: 1 } }],
    ['a key of no length', { list: { ...stored(''), records: 1 } }],
    ['a key that is too long', { list: { ...stored('a'.repeat(1025)), records: 1 } }],
    ['the archive as its own list', { list: { ...stored(NAME), records: 1 } }],
    ['another archive than its own', { needs: [{ ...stored('other'), version: 2 }] }],
    ['no archive', { needs: [] }],
    [
      'an archive twice',
      {
        needs: [
          { ...stored(NAME), version: 1 },
          { ...stored(NAME), version: 2 },
        ],
      },
    ],
    [
      'archives out of order',
      {
        needs: [
          { ...stored('x'), version: 3 },
          { ...stored(NAME), version: 2 },
        ],
      },
    ],
    [
      'more archives than a chain has',
      { needs: Array.from({ length: 10_001 }, (_, at) => ({ ...stored(`a${at}`), version: at + 1 })) },
    ],
    ['a full backup that needs others', { type: 'full' }],
    ['a base that is itself', { base: 2 }],
    ['an incremental backup of nothing', { base: undefined }],
    ['version 0', { version: 0 }],
    ['a version of no whole number', { version: 1.5 }],
    ['a size that no double holds', { archive: { ...stored(NAME), size: 1e300 } }],
    ['no time', { started: 'yesterday' }],
    ['no time zone', { timezone: 'Mars/Base' }],
    [
      'more problems than it may have',
      { problems: Array.from({ length: 101 }, () => ({ code: 'A', message: '' })) },
    ],
  ])('with %s is refused', (_, change) => {
    expect(() => decodeManifest(changed(change), 'k')).toThrow(
      expect.objectContaining({ code: 'BACKUP_DAMAGED', path: 'k' }),
    );
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['no map', Buffer.from('[]')],
    ['nothing', Buffer.from('')],
    ['no text', Buffer.from([0x22, 0xff, 0x22])],
    ['too much', Buffer.alloc(MAX_MANIFEST_BYTES + 1, ' ')],
  ])('that is %s is refused', (_, bytes) => {
    expect(() => decodeManifest(bytes, 'k')).toThrow(expect.objectContaining({ code: 'BACKUP_DAMAGED' }));
  });
});

describe('a mark and a job object', () => {
  it('read back as they were written', () => {
    const mark = { name: NAME, version: 2, reason: 'before the move', markedMs: 1000, by: 'me@here' };
    expect(decodeMark(encodeMark(mark), 'k')).toEqual(mark);
    const job = { format: 1, job: 'app', jobId: MANIFEST.jobId, machine: 'edge1', sinceMs: 1000 } as const;
    expect(decodeJobObject(encodeJobObject(job), 'k')).toEqual(job);
  });

  it('are refused where they lack something', () => {
    const refused = expect.objectContaining({ code: 'BACKUP_DAMAGED' }) as unknown as Error;
    expect(() => decodeMark(Buffer.from('{"name":"a"}'), 'k')).toThrow(refused);
    expect(() => decodeJobObject(Buffer.from('{"format":1,"jobId":"x"}'), 'k')).toThrow(refused);
  });
});
