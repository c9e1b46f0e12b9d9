import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemberFile, READ_WHOLE_BYTES, readSettled } from '../../src/backup/pack/member-file.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-member-'));
  path = join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As after another file. */
const room = Buffer.alloc(READ_WHOLE_BYTES, 0xff);
const opened = (): MemberFile => new MemberFile(Buffer.from(path), 'file');

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const piece of pieces) found.push(Buffer.from(piece));
  return Buffer.concat(found);
}

describe('a file that is packed', () => {
  it.each([0, 1, 3_000_000])('of %d bytes is read whole, or in pieces', async (size) => {
    const content = randomBytes(size);
    writeFileSync(path, content);
    using file = opened();
    expect(file.whole(room).equals(content)).toBe(true);
    expect((await collect(file.pieces(room))).equals(content)).toBe(true);
    expect(file.isChanged).toBe(false);
  });

  it('has as many bytes as when it was opened, whatever becomes of it', async () => {
    const content = randomBytes(3_000_000);
    writeFileSync(path, content);
    using file = opened();
    appendFileSync(path, 'more');
    expect(file.isChanged).toBe(true);
    expect((await collect(file.pieces(room))).equals(content)).toBe(true);
    truncateSync(path, 1_500_000);
    const cut = Buffer.concat([content.subarray(0, 1_500_000), Buffer.alloc(1_500_000)]);
    expect((await collect(file.pieces(room))).equals(cut)).toBe(true);
    expect(file.whole(room).equals(cut)).toBe(true);
  });

  it('tells of a write whose time was set back', () => {
    writeFileSync(path, 'before');
    utimesSync(path, 1000, 1000);
    using file = opened();
    writeFileSync(path, 'behind');
    utimesSync(path, 1000, 1000);
    expect(file.isChanged).toBe(true);
  });

  it('is settled when it was read, and left to another way where it is large', () => {
    writeFileSync(path, 'settled');
    expect(readSettled(Buffer.from(path), 'file', room)).toMatchObject({
      content: Buffer.from('settled'),
      isTorn: false,
    });
    truncateSync(path, READ_WHOLE_BYTES + 1);
    expect(readSettled(Buffer.from(path), 'file', room)).toBeUndefined();
  });

  it('is told as torn where it changes whenever it is read', async () => {
    writeFileSync(path, Buffer.alloc(READ_WHOLE_BYTES / 2));
    const writer = spawn('sh', ['-c', 'while :; do printf x >> "$0"; done', path], { stdio: 'ignore' });
    const ended = once(writer, 'exit');
    try {
      // The writer has to get its turn in each of the three reads.
      await expect
        .poll(() => readSettled(Buffer.from(path), 'file', room)?.isTorn, { interval: 1, timeout: 60_000 })
        .toBe(true);
    } finally {
      writer.kill('SIGKILL');
      await ended;
    }
    expect(readSettled(Buffer.from(path), 'file', room)?.isTorn).toBe(false);
  });

  it('is neither a symlink nor a pipe, and nothing stays open', () => {
    const before = readdirSync('/proc/self/fd').length;
    symlinkSync('/etc/passwd', path);
    expect(opened).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(opened).toThrow(expect.objectContaining({ code: 'FILE_CHANGED' }));
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});
