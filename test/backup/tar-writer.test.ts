import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import { FRAME_BYTES, FrameWriter } from '../../src/backup/pack/frames.ts';
import { TarWriter } from '../../src/backup/pack/tar-writer.ts';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((each) => rmSync(each, { recursive: true })));

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const base = { mode: 0o644, uid, gid, mtimeNs: 1_700_000_000_123_456_789n };

function fileOf(path: string, content: Buffer, more: Partial<FileRecord> = {}): FileRecord {
  return {
    ...base,
    path: parseMemberPath(path),
    type: 'file',
    size: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    stored: { archive: 1, from: 0, to: 0, skip: 0 },
    ...more,
  } as FileRecord;
}

async function written(write: (tar: TarWriter) => Promise<void>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const tar = new TarWriter(
    new FrameWriter('none', {
      write: async (bytes) => {
        await new Promise(setImmediate);
        pieces.push(bytes);
      },
    }),
  );
  await write(tar);
  await tar.end();
  return Buffer.concat(pieces);
}

function extracted(tar: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'isync-tar-'));
  folders.push(folder);
  execFileSync('tar', ['-xp', '-C', folder], { input: tar });
  return folder;
}

describe('a tar', () => {
  it('has each content where it says, and GNU tar unpacks it', async () => {
    const sizes = [0, 1, 511, 512, 513, 100_000, FRAME_BYTES + 3];
    const contents = sizes.map((size) => randomBytes(size));
    const places: { readonly start: number; readonly end: number }[] = [];
    const tar = await written(async (writer) => {
      for (const [index, content] of contents.entries()) {
        const pieces = [content.subarray(0, 300), content.subarray(300, 70_000), content.subarray(70_000)];
        places.push(await writer.addFile(fileOf(`f${index}`, content), pieces));
      }
    });
    const folder = extracted(tar);
    for (const [index, content] of contents.entries()) {
      expect(readFileSync(join(folder, `f${index}`)).equals(content), `f${index}`).toBe(true);
      const { start, end } = places[index]!;
      expect(tar.subarray(start, end).equals(content), `place of f${index}`).toBe(true);
    }
  });

  it('takes pieces that are read into the same memory', async () => {
    const content = randomBytes(FRAME_BYTES + 12_345);
    const room = Buffer.alloc(100_000);
    const pieces = function* (): Generator<Uint8Array> {
      for (let at = 0; at < content.length; at += room.length) {
        room.fill(0);
        yield room.subarray(0, content.copy(room, 0, at));
      }
    };
    const places: { readonly start: number; readonly end: number }[] = [];
    const tar = await written(async (writer) => {
      for (const path of ['f', 'g']) places.push(await writer.addFile(fileOf(path, content), pieces()));
    });
    for (const { start, end } of places) expect(tar.subarray(start, end).equals(content)).toBe(true);
  });

  it('keeps modes, times, links, folders and long names', async () => {
    const long = `${'d'.repeat(200)}/${'ü'.repeat(100)}`;
    const content = Buffer.from('hello');
    const at = (path: string, mtimeNs: bigint): FileRecord => fileOf(path, content, { mtimeNs });
    const times: Record<string, bigint> = {
      old: -5_500_000_000n,
      exact: 1_000_000_000n * 1_700_000_000n,
      late: 5_000_000_000_000_000_001n,
      first: 0n,
      nano: base.mtimeNs,
    };
    const tar = await written(async (writer) => {
      for (const [path, mtimeNs] of Object.entries(times)) await writer.addFile(at(path, mtimeNs), [content]);
      await writer.addFile(fileOf('none', content, { mode: 0 }), [content]);
      await writer.addFile(fileOf('suid', content, { mode: 0o6755 }), [content]);
      await writer.addFile(fileOf(long, content), [content]);
      await writer.add(fileOf('other', content, { linkTo: parseMemberPath('nano') }));
      await writer.add({ ...base, path: parseMemberPath('empty'), type: 'directory', mode: 0o1777 });
      const target = Buffer.from(`/${'t'.repeat(300)}`);
      await writer.add({ ...base, path: parseMemberPath('points'), type: 'symlink', target });
    });
    const folder = extracted(tar);
    const kept = Object.keys(times).map((path) => [
      path,
      lstatSync(join(folder, path), { bigint: true }).mtimeNs,
    ]);
    expect(Object.fromEntries(kept)).toEqual(times);
    expect(lstatSync(join(folder, 'none')).mode & 0o7777).toBe(0);
    expect(lstatSync(join(folder, 'suid')).mode & 0o7777).toBe(0o6755);
    expect(lstatSync(join(folder, 'empty')).mode & 0o7777).toBe(0o1777);
    expect(readFileSync(join(folder, long), 'utf8')).toBe('hello');
    expect(lstatSync(join(folder, 'other')).ino).toBe(lstatSync(join(folder, 'nano')).ino);
    expect(readlinkSync(join(folder, 'points'))).toBe(`/${'t'.repeat(300)}`);
  });

  it('keeps owners of any number and name', async () => {
    const content = Buffer.from('x');
    const user = 'someone.with.a.name.that.is.longer.than.a.header';
    const tar = await written(async (writer) => {
      await writer.addFile(fileOf('large', content, { uid: 3_000_000_000, gid: 262_144, user }), [content]);
      await writer.addFile(fileOf('small', content, { uid: 262_143, gid: 7, user: 'zoe' }), [content]);
    });
    const numbers = execFileSync('tar', ['-tv', '--numeric-owner'], { input: tar, encoding: 'utf8' });
    expect(numbers).toMatch(/3000000000\/262144 .*large\n.*262143\/7 .*small\n/);
    const names = execFileSync('tar', ['-tv'], { input: tar, encoding: 'utf8' });
    expect(names).toContain(`${user}/`);
    expect(names).toContain('zoe/');
  });

  it('has names that are not UTF-8 escaped, with their bytes', async () => {
    const content = Buffer.from('x');
    const tar = await written(async (writer) => {
      await writer.addFile(fileOf(String.raw`caf\xe9`, content), [content]);
    });
    expect(readFileSync(join(extracted(tar), String.raw`caf\xe9`), 'utf8')).toBe('x');
    expect(tar.toString('latin1')).toContain(
      `ISYNC.path=${Buffer.from('café', 'latin1').toString('base64')}\n`,
    );
  });

  it('fails as what takes it does, and as what it is given', async () => {
    const failing = new TarWriter(
      new FrameWriter('none', { write: () => Promise.reject(new Error('no room')) }),
    );
    const content = randomBytes(8 * FRAME_BYTES);
    const writing = async (): Promise<void> => {
      for (let at = 0; at < 5; at++) await failing.addFile(fileOf(`f${at}`, content), [content]);
      await failing.end();
    };
    await expect(writing()).rejects.toThrow('no room');

    const given = new TarWriter(new FrameWriter('none', { write: async () => undefined }));
    async function* broken(): AsyncGenerator<Buffer> {
      yield content;
      throw new Error('no disk');
    }
    await expect(given.addFile(fileOf('f', content), broken())).rejects.toThrow('no disk');
  });
});
