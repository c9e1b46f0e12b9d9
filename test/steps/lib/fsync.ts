import { chmod, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import type { Scanned } from '../../suites/cli.ts';
import { writeTree, type Tree } from '../../suites/data-tree.ts';
import { checkSealed } from './checks.ts';
import { runScan } from './run-scan.ts';
import type { Step } from './step.ts';

const DEVICE = 'edge1';
const FILES: Tree = { 'DC1/one.bin': 10_000, 'DC1/sub/two.bin': 100_000, 'DC1/sub/empty': '' };
/** Came after the marks were set. */
const FRESH: Tree = { 'DC1/fresh.bin': 2_000 };

/** A closed directory whose files have, or have not, the mark that says they are at the target already. */
export function fsyncStep({ marked }: { readonly marked: boolean }): Step {
  const notSent = marked ? Object.keys(FILES).map((path) => path.slice('DC1/'.length)) : [];
  return {
    about: marked
      ? 'files with the mark: not sent, told as unknown to the target, the directory sealed'
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
      const { summary, stderr } = await place.recall<Scanned>('scanned');
      const sent = Object.keys(FRESH).length + (marked ? 0 : Object.keys(FILES).length);
      check(`the summary counts ${sent} files sent`, summary.files === sent, `${summary.files}`);
      check(
        `it counts ${notSent.length} with a mark`,
        summary.skippedMarked === notSent.length,
        `${summary.skippedMarked}`,
      );
      check(
        `it counts ${notSent.length} marked but unknown to the target`,
        summary.markedUnknown === notSent.length,
        `${summary.markedUnknown}`,
      );
      const told = notSent.filter((path) => stderr.includes(`DC1/${path}`));
      check('the log names each of those', told.length === notSent.length, told.join(', '));
      const there = notSent.filter((path) => existsSync(join(place.store, DEVICE, 'DC1', path)));
      check('none of those is at the target', there.length === 0, there.join(', '));
      await checkSealed(place, check, { device: DEVICE, directory: 'DC1', closed: true, notSent });
    },
  };
}

/** As isync does after a transfer: the change of the mode comes after the last write. */
async function mark(path: string): Promise<void> {
  const writtenMs = Date.now() - 60_000;
  await utimes(path, writtenMs / 1000, writtenMs / 1000);
  await chmod(path, 0o664);
}
