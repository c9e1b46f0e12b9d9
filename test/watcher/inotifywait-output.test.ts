import { describe, expect, it } from 'vitest';
import { InotifywaitOutput } from '../../src/watcher/inotifywait-output.ts';

const record = (names: string, path: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${names}\0`), Buffer.from(path), Buffer.from([0])]);
const close = (path: string | Buffer): Buffer => record('CLOSE_WRITE,CLOSE', path);

/** Everything that comes of `bytes` when they arrive in chunks of `size`. */
function read(bytes: Buffer, size = bytes.length) {
  const output = new InotifywaitOutput();
  const all = { closed: [] as string[], folders: [] as string[], lost: false };
  for (let at = 0; at < bytes.length; at += size) {
    const { closed, folders, lost } = output.push(bytes.subarray(at, at + size));
    all.closed.push(...closed);
    all.folders.push(...folders);
    all.lost ||= lost;
  }
  return all;
}

describe('InotifywaitOutput', () => {
  const names = [
    'a',
    'sub/b',
    'new\nline',
    'sp ace ',
    '~',
    'x~',
    '.hidden',
    '😀/ü',
    'CLOSE_WRITE,CLOSE',
    '@at',
  ];

  it.each([1, 2, 3, 7, 4096])('reads every name, in chunks of %i bytes', (size) => {
    const bytes = Buffer.concat(names.map((name) => close(`./${name}`)));
    expect(read(bytes, size)).toEqual({ closed: names, folders: [], lost: false });
  });

  it('takes a rename into place for a close, and knows a folder that was moved in', () => {
    const bytes = Buffer.concat([record('MOVED_TO', './f'), record('MOVED_TO,ISDIR', './d')]);
    expect(read(bytes)).toEqual({ closed: ['f'], folders: ['d'], lost: false });
  });

  it('tells nothing of other events, nor of the watched folder itself', () => {
    const bytes = Buffer.concat([record('CREATE,ISDIR', './d'), record('CREATE', './f'), close('./')]);
    expect(read(bytes)).toEqual({ closed: [], folders: [], lost: false });
  });

  it('skips names that are not UTF-8 and nothing else', () => {
    const bytes = Buffer.concat([close(Buffer.from([0x2e, 0x2f, 0xff, 0x61])), close('./b')]);
    expect(read(bytes)).toEqual({ closed: ['b'], folders: [], lost: false });
  });

  it('finds its way back after a cut record, and says that something is lost', () => {
    const cut = Buffer.concat([Buffer.from('CLOSE_WRITE,CLOSE\0./long'), close('./b'), close('./c')]);
    const { closed, lost } = read(cut);
    expect(lost).toBe(true);
    expect(closed.at(-1)).toBe('c');
    for (const broken of ['./path\0', 'MOVED_TO\0MOVED_TO\0', 'what is this?\0', '\0']) {
      const found = read(Buffer.concat([Buffer.from(broken), close('./c')]));
      expect(found.lost).toBe(true);
      expect(found.closed.at(-1)).toBe('c');
    }
  });

  it('does not keep what never ends', () => {
    const output = new InotifywaitOutput();
    expect(output.push(Buffer.alloc(100_000, 'a')).lost).toBe(true);
    output.push(Buffer.from([0]));
    output.push(close('./a'));
    expect(output.push(close('./b'))).toEqual({ closed: ['b'], folders: [], lost: false });
  });
});
