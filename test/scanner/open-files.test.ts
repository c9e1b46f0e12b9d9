import { closeSync, openSync, statSync } from 'node:fs';
import type * as nodeFs from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { mapped, openWriters } from '../../src/scanner/open-files.ts';
import { usingForTest } from '../sender/receiver-fixture.ts';
import { SourceFolder } from '../sender/source-folder.ts';

const looks = vi.hoisted(() => ({ paths: [] as string[] }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof nodeFs>();
  const statSync = (path: string) => (looks.paths.push(path), fs.statSync(path));
  return { ...fs, statSync };
});

const MAPS = `5581a0000000-5581a0001000 r--p 00000000 fe:00 11 /usr/bin/writer
7f0000000000-7f0000001000 rw-s 00000000 fe:00 12 /datas/DC1/capture
7f0000001000-7f0000002000 rw-p 00000000 fe:00 13 /lib/private
7f0000002000-7f0000003000 r--s 00000000 fe:00 14 /datas/DC1/read
7f0000003000-7f0000004000 rw-s 00000000 00:19 15 /dev/shm/segment
7f0000004000-7f0000005000 rw-s 00000000 103:12345 16 /other/disk
7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0 [stack]
`;

/** As makedev(3) makes them. */
const FE_00 = 0xfe00;
const DEVICE_103_12345 = 0x1231_0345;
/** Of btrfs, overlayfs, NFS. */
const NO_HARDWARE = 0x2f;

describe('what a process has mapped to be written to', () => {
  test.each([
    ['a partition', FE_00, [12]],
    ['a device of large numbers', DEVICE_103_12345, [16]],
  ])('is what is shared and writable there, not the same number elsewhere: %s', (_, device, inodes) => {
    expect([...mapped(MAPS, device, 'written')]).toEqual(inodes);
  });

  test('goes by the inode number alone where the device is none of hardware', () => {
    expect([...mapped(MAPS, NO_HARDWARE, 'written')]).toEqual([12, 15, 16]);
  });
});

test('a file that is open for writing is found, and one that is open for reading is not', async () => {
  const { at, open } = setup();
  open('written', 'a');
  open('both', 'r+');
  open('read', 'r');
  const found = await openWriters();
  expect(found.has(at('written'))).toBe(true);
  expect(found.has(at('both'))).toBe(true);
  expect(found.has(at('read'))).toBe(false);
  expect(found.has({ ino: at('written').ino, dev: FE_00 + 1 })).toBe(false);
});

test('of all descriptors only those are looked at that may be the file’s', async () => {
  const { at, open } = setup();
  open('written', 'a');
  looks.paths = [];
  const found = await openWriters();
  expect(found.has(at('read'))).toBe(false);
  expect(found.has(at('written'))).toBe(true);
  expect(looks.paths.filter((path) => path.startsWith(`/proc/${process.pid}/`))).toHaveLength(1);
});

test('those who ask in the same moment share a walk, and who asks while one is under way does not get that one', async () => {
  const { at, open } = setup();
  const [first, second] = [openWriters(), openWriters()];
  expect(second).toBe(first);
  await new Promise(setImmediate);
  open('written', 'a');
  const later = openWriters();
  expect(later).not.toBe(first);
  expect((await later).has(at('written'))).toBe(true);
  await first;
});

function setup() {
  const folder = usingForTest(new SourceFolder());
  const files: number[] = [];
  onTestFinished(() => files.forEach(closeSync));
  for (const name of ['written', 'both', 'read']) folder.write(`DC1/${name}`, '');
  return {
    at: (name: string) => statSync(folder.path(`DC1/${name}`)),
    open: (name: string, flags: string) => void files.push(openSync(folder.path(`DC1/${name}`), flags)),
  };
}
