import { chmod, cp, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scanned } from '../../../harness/cli.ts';
import { writeTree, type Tree } from '../../../harness/data-tree.ts';
import { checkSealed } from './checks.ts';
import { runScan } from './run-scan.ts';
import type { Step } from './step.ts';

const DEVICE = 'edge1';
const FILES: Tree = { 'DC1/one.bin': 10_000, 'DC1/sub/two.bin': 100_000, 'DC1/sub/empty': '' };
/** Came after the marks were set. */
const FRESH: Tree = { 'DC1/fresh.bin': 2_000 };

/**
 * A closed directory whose files have, or have not, the mark that says they are at the target already; those that have
 * it are there.
 */
export function fsyncStep({ marked, marks }: { readonly marked: boolean; readonly marks?: 'trust' }): Step {
  const before = marked ? Object.keys(FILES) : [];
  const how = marks === undefined ? '' : `, with --marks ${marks}`;
  return {
    about: marked
      ? `files with the mark that are at the target${how}: not sent again, the directory sealed`
      : 'files without the mark: all sent, marked, the directory sealed',
    async setup(place) {
      await writeTree(place.root(DEVICE), FILES);
      if (marked) await cp(place.root(DEVICE), join(place.store, DEVICE), { recursive: true });
      for (const path of before) await mark(join(place.root(DEVICE), path), join(place.store, DEVICE, path));
      await writeTree(place.root(DEVICE), { ...FRESH, 'DC1/finished.parse': '' });
    },
    async execute(place, check) {
      const scanned = await runScan(place, marks === undefined ? [] : ['--marks', marks]);
      await place.remember('scanned', scanned);
      check('isync scan --once ends with exit code 0', scanned.exitCode === 0, scanned.stderr);
    },
    async verify(place, check) {
      const { summary } = await place.recall<Scanned>('scanned');
      const sent = Object.keys(FRESH).length + (marked ? 0 : Object.keys(FILES).length);
      check(`the summary counts ${sent} files sent`, summary.files === sent, `${summary.files}`);
      check(
        `it counts ${before.length} with a mark`,
        summary.skippedMarked === before.length,
        `${summary.skippedMarked}`,
      );
      await checkSealed(place, check, { device: DEVICE, directory: 'DC1', closed: true });
    },
  };
}

/** As isync does after a transfer: the change of the mode comes after the last write. */
async function mark(path: string, copy: string): Promise<void> {
  const writtenMs = Date.now() - 60_000;
  for (const file of [path, copy]) await utimes(file, writtenMs / 1000, writtenMs / 1000);
  await chmod(path, 0o664);
}
