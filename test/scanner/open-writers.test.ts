import { closeSync, openSync, statSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inodesOpenForWriting, mappedForWriting } from '../../src/scanner/open-writers.ts';
import { usingForTest } from '../sender/receiver-fixture.ts';
import { SourceFolder } from '../sender/source-folder.ts';

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
    expect([...mappedForWriting(MAPS, device)]).toEqual(inodes);
  });

  test('goes by the inode number alone where the device is none of hardware', () => {
    expect([...mappedForWriting(MAPS, NO_HARDWARE)]).toEqual([12, 15, 16]);
  });
});

test('a file that is open for writing is found, and one that is open for reading is not', async () => {
  const folder = usingForTest(new SourceFolder());
  folder.write('DC1/written', '');
  folder.write('DC1/read', '');
  const files = [openSync(folder.path('DC1/written'), 'a'), openSync(folder.path('DC1/read'), 'r')];
  onTestFinished(() => files.forEach(closeSync));
  const found = await inodesOpenForWriting(statSync(folder.root).dev);
  expect(found.has(statSync(folder.path('DC1/written')).ino)).toBe(true);
  expect(found.has(statSync(folder.path('DC1/read')).ino)).toBe(false);
});
