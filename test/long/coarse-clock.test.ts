/** Files that are written twice within one tick of the clock that stamps them. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { inspectFile } from '../../src/scanner/inspect-file.ts';
import type { ScanContext } from '../../src/sender/scan/scan-context.ts';
import { ScanTally } from '../../src/sender/scan/scan-tally.ts';
import { transfer } from '../../src/sender/scan/transfer.ts';
import { lacks, lacksRoot } from '../../harness/tools.ts';
import { optionsFor, setup } from '../sender/scan-fixture.ts';

const MIB = 1024 * 1024;

/** Since Linux 6.13 ext4, XFS, Btrfs and tmpfs stamp more finely; ramfs still does as all did before. */
function mountRamfs(root: string): void {
  execFileSync('mount', ['-t', 'ramfs', 'isync-test', root]);
}

/** Inodes of 128 bytes have no room for a fraction of a second. */
function mountSmallInodes(root: string): void {
  const image = `${root}.image`;
  writeFileSync(image, '');
  truncateSync(image, 8 * MIB);
  execFileSync('mkfs.ext4', ['-q', '-F', '-I', '128', image]);
  execFileSync('mount', ['-o', 'loop', image, root]);
}

/** Asked first: tools that only root uses are on root's PATH only. */
const noRoot = process.platform !== 'linux' || lacksRoot();

const CLOCKS = [
  { clock: '1 to 10 ms', mount: mountRamfs, files: 100, laterMs: 0, lacking: false },
  {
    clock: 'a second',
    mount: mountSmallInodes,
    files: 3,
    laterMs: 100,
    lacking: !noRoot && lacks('mkfs.ext4'),
  },
];

test.skipIf(noRoot).for(CLOCKS)(
  'a write in the tick ($clock) of the write before it is never hidden by the mark',
  async (of, { skip }) => {
    skip(of.lacking, 'mkfs.ext4 is not installed');
    const { root, target, at, write } = setup();
    of.mount(root);
    onTestFinished(() => void execFileSync('umount', [root]));
    const { options } = optionsFor(root, target);
    const shared: Partial<ScanContext> = {
      options,
      tally: new ScanTally(options.observer),
      cut: new AbortController().signal,
    };
    const context = shared as ScanContext;
    let inOneTick = 0;
    for (let n = 0; n < of.files; n++) {
      const path = parseRelPath(`DC1/${n}`);
      write('DC1/clock');
      const before = lstatSync(at('DC1/clock')).mtimeMs;
      while (lstatSync(at('DC1/clock')).mtimeMs === before) write('DC1/clock');
      write(path, 'first.');
      const listed = inspectFile(root, path);
      if (listed?.kind !== 'file') throw new Error('not there');
      const sent = transfer(context, listed.file, { priority: 'live', unlessKept: false });
      // Somewhere between the first read and the mark, and after it.
      for (let turns = n % 10; turns > 0; turns--)
        await (of.laterMs > 0 ? setTimeout(of.laterMs) : setImmediate());
      write(path, 'second');
      if (lstatSync(at(path)).mtimeMs === listed.file.identity.mtimeMs) inOneTick++;
      await sent;
      const now = inspectFile(root, path);
      if (now?.kind !== 'file' || !now.file.marked) continue;
      const [record] = await target.look([path], { digest: true });
      expect(record?.digest).toEqual(digestOf('xxh64', readFileSync(at(path))));
    }
    expect(inOneTick).toBeGreaterThan(of.files / 10);
  },
);
