import { execFileSync } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { impossible, LoopDisk } from '../powercut/loop-disk.ts';
import { lacks, lacksRoot, mayNot } from '../../harness/tools.ts';
import { startScan } from '../../harness/cli.ts';
import { lackingOf } from '../../harness/lacking.ts';
import { writeTree } from '../../harness/data-tree.ts';
import { startStage } from '../../harness/stage.ts';

const DISK_BYTES = 32 * 1024 * 1024;
/** How late a file may be at the target, in ms: a directory that is not watched is listed less often. */
const LATE_MS = 8_000;

// Root first: tools that only root uses are on root's PATH only.
test.skipIf(
  lacksRoot() || lacks('mkfs.ext4') || lacks('debugfs') || mayNot('mount a disk', impossible()?.why),
)(
  'a directory that was made while the clock was ahead does not keep later ones from being followed',
  async () => {
    await using stage = await startStage();
    const image = join(stage.folder, 'disk');
    {
      using disk = LoopDisk.make(image, DISK_BYTES);
      await mkdir(join(disk.path, 'root/D1'), { recursive: true });
    }
    execFileSync('debugfs', ['-w', '-R', 'set_inode_field /root/D1 crtime 20300101000000', image], {
      stdio: 'pipe',
    });
    using disk = LoopDisk.start(image);
    const root = join(disk.path, 'root');
    expect((await stat(join(root, 'D1'))).birthtimeMs).toBeGreaterThan(Date.now());
    const copy = join(stage.store, 'edge1');
    await using daemon = startScan(root, { to: stage.receiver.url });
    await daemon.until('the link', () => daemon.stderr.includes('connected'));
    for (const name of ['f1', 'f2']) {
      await writeTree(root, { [`D2/${name}`]: 10 });
      await daemon.until(name, async () => (await lackingOf(root, copy, 'D2')).length === 0, LATE_MS);
    }
  },
);
