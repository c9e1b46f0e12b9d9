import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import { stamp } from '../../src/backup/restore/stamp.ts';
import { newFolder } from './restoring.ts';

const NS = 1_000_000_000n;
const { getuid, getgid } = process;

/** Microseconds that a file has once it was stamped with the time of a record. */
function stamped(mtimeNs: bigint): bigint {
  const fd = openSync(join(newFolder(), 'file'), 'w');
  try {
    const owner = { uid: getuid?.() ?? 0, gid: getgid?.() ?? 0 };
    stamp(fd, { type: 'directory', path: parseMemberPath('file'), mode: 0o644, mtimeNs, ...owner });
    return fstatSync(fd, { bigint: true }).mtimeNs / 1000n;
  } finally {
    closeSync(fd);
  }
}

it('restores a time to the microsecond', () => {
  const seconds = [0n, 1n, 951_782_400n, 1_795_718_000n, 4_102_444_800n];
  const parts = [0n, 1n, 1000n, 123_000n, 500_000_001n, 7_000_000n, 120_000_000n, 999_000_000n, NS - 1n];
  for (const second of seconds)
    for (const part of parts) {
      const time = second * NS + part;
      expect([time, stamped(time)]).toEqual([time, time / 1000n]);
    }
});
