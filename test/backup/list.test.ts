import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeFault, nameText, pathBytes } from '../../src/backup/list/escaped-name.ts';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { comparePaths, memberPathFault, parseMemberPath } from '../../src/backup/list/member-path.ts';
import { readRecords } from '../../src/backup/list/read-records.ts';
import { encodeRecord, MAX_LINE_BYTES } from '../../src/backup/list/record-codec.ts';

const OWNER = { mode: 0o644, uid: 1000, gid: 100, mtimeNs: 1_712_318_400_123_456_789n } as const;
const SHA256 = 'a'.repeat(64);

function file(path: string, change: Partial<Extract<FileRecord, { type: 'file' }>> = {}): FileRecord {
  const stored = { archive: 3, from: 4096, to: 8192, skip: 17 };
  return { ...OWNER, type: 'file', path: parseMemberPath(path), size: 5, sha256: SHA256, stored, ...change };
}
const folder = (path: string): FileRecord => ({ ...OWNER, type: 'directory', path: parseMemberPath(path) });
const symlink = (path: string, target: string): FileRecord => ({
  ...OWNER,
  type: 'symlink',
  path: parseMemberPath(path),
  target: Buffer.from(target, 'latin1'),
});

const encoded = (records: readonly FileRecord[]): string => records.map(encodeRecord).join('');

async function read(text: string | Buffer, expected?: number, pieceBytes = 7): Promise<FileRecord[]> {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, at) =>
    bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  );
  const records: FileRecord[] = [];
  for await (const record of readRecords(Readable.from(pieces), expected)) records.push(record);
  return records;
}

/** A line with something else in the place of what a good one has. */
const line = (change: object, record = file('a')): string =>
  `${JSON.stringify({ ...(JSON.parse(encodeRecord(record)) as object), ...change })}\n`;

describe('a file list', () => {
  it('reads back as it was written', async () => {
    const records = [
      folder('srv'),
      file('srv/a', { seen: { device: 64_769n, inode: 2n ** 63n, ctimeNs: -5n }, user: 'app', group: 'ünï' }),
      file('srv/b\n"', { linkTo: parseMemberPath('srv/a'), mode: 0o4755 }),
      file('srv/c', { isTorn: true, mtimeNs: -1n, uid: 4_000_000_000 }),
      symlink('srv/d', '../../\xff etc'),
      file('srv/empty', { size: 0, stored: { archive: 1, from: 0, to: 0, skip: 0 } }),
    ];
    expect(await read(encoded(records), records.length)).toEqual(records);
  });

  it('is one JSON line for each file', () => {
    expect(JSON.parse(encodeRecord(file('srv/a')))).toEqual({
      path: 'srv/a',
      type: 'file',
      mode: '0644',
      uid: 1000,
      gid: 100,
      mtimeNs: '1712318400123456789',
      size: 5,
      sha256: SHA256,
      archive: 3,
      from: 4096,
      to: 8192,
      skip: 17,
    });
  });

  it('may be empty', async () => {
    expect(await read('', 0)).toEqual([]);
  });
});

describe('a hostile file list is refused:', () => {
  it.each([
    ['a path that leaves the folder', line({ path: '../a' })],
    ['one that leaves it later', line({ path: 'a/../../b' })],
    ['an absolute path', line({ path: '/etc/passwd' })],
    ['an empty path', line({ path: '' })],
    ['an empty segment', line({ path: 'a//b' })],
    ['a NUL', line({ path: 'a\0b' })],
    ['half a surrogate', line({ path: 'a\ud800' })],
    ['a segment that is too long', line({ path: 'a'.repeat(1021) })],
    ['a path that is too long', line({ path: 'a/'.repeat(9000) + 'a' })],
    ['an escaped path that leaves the folder', line({ path: String.raw`\x2e\x2e/a` })],
    ['an escaped "/"', line({ path: String.raw`a\x2fb` })],
    ['an escaped NUL', line({ path: String.raw`a\x00` })],
    ['a second name of the same file', line({ path: String.raw`\x61` })],
    ['a path that comes twice', encoded([file('a'), file('b')]) + encoded([file('b')])],
    ['paths out of order', encoded([file('b'), file('a')])],
    ['a file below a file', encoded([file('a'), file('a/b')])],
    ['a file below a symlink', encoded([symlink('a', '/etc'), file('a/passwd')])],
    ['a link to what comes later', encoded([file('a', { linkTo: parseMemberPath('b') })])],
    ['a link that leaves the folder', line({ linkTo: '../../etc/shadow' })],
    ['a file of unknown type', line({ type: 'device' })],
    ['a field that nobody knows', line({ more: 1 })],
    ['a negative size', line({ size: -1 })],
    ['a size that no double holds', line({ size: 2 ** 60 })],
    ['a size of no number', line({ size: '5' })],
    ['a place that ends before it begins', line({ from: 9000 })],
    ['content without a place', line({ from: 8192 })],
    ['a place of no archive', line({ archive: 0 })],
    ['a place before the archive', line({ from: -1 })],
    ['a mode beyond permissions', line({ mode: '100644' })],
    ['a digest of another length', line({ sha256: 'ab' })],
    ['a time of thousands of digits', line({ mtimeNs: '9'.repeat(5000) })],
    ['a target with a NUL', encoded([symlink('a', 'b\0c')])],
    ['a target of no length', encoded([symlink('a', '')])],
    ['a line that never ends', 'x'.repeat(MAX_LINE_BYTES + 1)],
    ['a line that is too long', `"${'x'.repeat(MAX_LINE_BYTES)}"\n`],
    ['no JSON', 'a\n'],
    ['JSON of something else', '[]\n'],
    ['a prototype', '{"__proto__":{"path":"a"}}\n'],
    ['a line that is cut', encodeRecord(file('a')).slice(0, -1)],
    ['bytes that are no text', Buffer.from([0x22, 0xff, 0x22, 0x0a])],
  ])('%s', async (_, text) => {
    await expect(read(text, undefined, 65_536)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('more or fewer records than announced', async () => {
    const text = encoded([file('a'), file('b')]);
    await expect(read(text, 1)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await expect(read(text, 3)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('whatever else it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.string(), async (value, text) => {
        for (const given of [`${JSON.stringify(value)}\n`, `${text}\n`])
          await expect(read(given)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
      }),
    );
  });
});

const name = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f));

describe('a name that is no text', () => {
  it('is escaped, and known again by its bytes', () => {
    expect(nameText(Buffer.from('a\xff\\b', 'latin1'))).toBe(String.raw`a\xff\x5cb`);
    expect(nameText(Buffer.from('grün'))).toBe('grün');
    expect(nameText(Buffer.from('a\\b'))).toBe('a\\b');
    expect(nameText(Buffer.from(String.raw`a\xff`))).toBe(String.raw`a\x5cxff`);
    const looksEscaped = fc.stringMatching(/^(\\|x|[0-9a-f]|ü){1,12}$/).map((text) => Buffer.from(text));
    fc.assert(
      fc.property(fc.array(fc.oneof(name, looksEscaped), { minLength: 1, maxLength: 4 }), (names) => {
        const text = names.map(nameText).join('/');
        expect(pathBytes(text)).toEqual(
          Buffer.concat(names.flatMap((each, at) => (at > 0 ? [Buffer.from('/'), each] : [each]))),
        );
        expect(escapeFault(text)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('may be as long as the disk allows', () => {
    expect(memberPathFault(nameText(Buffer.alloc(255, 0xff)))).toBeUndefined();
  });
});

describe('the order of paths', () => {
  it('is that of a walk that takes the names of each folder by their bytes', () => {
    const sorted = ['a', 'a/b', 'a/b/c', 'a/é', 'a/\uffee', 'a/😀', 'a ', 'a!', 'a.b', 'a0', 'b'];
    expect(sorted.toReversed().sort(comparePaths)).toEqual(sorted);
    const path = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(path, path, (one, other) => {
        const [a, b] = [one, other].map((names) => names.map((each) => each.replaceAll(/[/\0]/g, 'x')));
        const bytes = (names: string[]): Buffer => Buffer.from(names.join('\0'));
        expect(Math.sign(comparePaths(a!.join('/'), b!.join('/')))).toBe(
          Buffer.compare(bytes(a!), bytes(b!)),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
