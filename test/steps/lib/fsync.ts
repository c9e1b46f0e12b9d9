import { chmod, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scanned } from '../../suites/cli.ts';
import { writeTree, type Tree } from '../../suites/data-tree.ts';
import { checkSealed } from './checks.ts';
import { runScan } from './run-scan.ts';
import type { Step } from './step.ts';

const DEVICE = 'edge1';
const FILES: Tree = { 'DC1/one.bin': 10_000, 'DC1/sub/two.bin': 100_000, 'DC1/sub/empty': '' };
/** Came after the marks were set. */
const FRESH: Tree = { 'DC1/fresh.bin': 2_000 };

/** A closed directory whose files have, or have not, a mark that nobody at the target knows of: the target's answer counts. */
export function fsyncStep({ marked }: { readonly marked: boolean }): Step {
  const looksSent = marked ? Object.keys(FILES).length : 0;
  return {
    about: marked
      ? 'files with a mark that the target does not have: all sent, the directory sealed'
      : 'files without the mark: all sent, marked, the directory sealed',
    async setup(place) {
      await writeTree(place.root(DEVICE), FILES);
      if (marked) for (const path of Object.keys(FILES)) await mark(join(place.root(DEVICE), path));
      await writeTree(place.root(DEVICE), { ...FRESH, 'DC1/finished.parse': '' });
    },
    async execute(place, check) {
      const scanned = await runScan(place);
      await place.remember('scanned', scanned);
      check('isync scan --once ends with exit code 0', scanned.exitCode === 0, scanned.stderr);
    },
    async verify(place, check) {
      const { summary } = await place.recall<Scanned>('scanned');
      const sent = Object.keys({ ...FILES, ...FRESH }).length;
      check(`the summary counts ${sent} files sent`, summary.files === sent, `${summary.files}`);
      check(
        `it counts ${looksSent} with a mark at the first look`,
        summary.skippedMarked === looksSent,
        `${summary.skippedMarked}`,
      );
      check('it counts none that the target lacks', summary.markedUnknown === 0, `${summary.markedUnknown}`);
      await checkSealed(place, check, { device: DEVICE, directory: 'DC1', closed: true });
    },
  };
}

/** As isync does after a transfer: the change of the mode comes after the last write. */
async function mark(path: string): Promise<void> {
  const writtenMs = Date.now() - 60_000;
  await utimes(path, writtenMs / 1000, writtenMs / 1000);
  await chmod(path, 0o664);
}
