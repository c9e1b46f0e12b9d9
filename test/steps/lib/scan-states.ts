import { existsSync } from 'node:fs';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scanned } from '../../../harness/cli.ts';
import { filesBelow, writeTree, type Tree } from '../../../harness/data-tree.ts';
import { checkSealed, none } from './checks.ts';
import { runScan } from './run-scan.ts';
import type { Check, Place, Step } from './step.ts';

const DEVICE = 'edge1';
/** Of every way a file can travel: empty, in one message, in chunks; at several depths. */
const OLD_FILES: Tree = { 'DC1/one.bin': 10_000, 'DC1/empty': '', 'DC1/deep/er/big.bin': 300_000 };
const NEW_FILES: Tree = { 'DC2/two.bin': 5_000, 'DC2/sub/three.bin': 70_000 };

/** DC1 with or without either marker, and a closed DC2 that is newer. */
export function scanStep(markers: { readonly parsed: boolean; readonly watched: boolean }): Step {
  const { parsed, watched } = markers;
  return {
    about: `a data directory with${parsed ? '' : 'out'} finished.parse and with${watched ? '' : 'out'} finished.watch: ${meaning(parsed, watched)}`,
    async setup(place) {
      await writeTree(place.root(DEVICE), {
        ...OLD_FILES,
        ...(parsed ? { 'DC1/finished.parse': '' } : {}),
        ...(watched ? { 'DC1/finished.watch': '' } : {}),
      });
      // Nobody has written to it for long.
      await backdate(join(place.root(DEVICE), 'DC1'));
      await writeTree(place.root(DEVICE), { ...NEW_FILES, 'DC2/finished.parse': '' });
      await place.remember('before', await traces(join(place.root(DEVICE), 'DC1')));
    },
    async execute(place, check) {
      const scanned = await runScan(place);
      await place.remember('scanned', scanned);
      check('isync scan --once ends with exit code 0', scanned.exitCode === 0, scanned.stderr);
    },
    async verify(place, check) {
      const { summary } = await place.recall<Scanned>('scanned');
      const sent = Object.keys(NEW_FILES).length + (watched ? 0 : Object.keys(OLD_FILES).length);
      check(`the summary counts ${sent} files`, summary.files === sent, `${summary.files}`);
      check('the summary has no problem', summary.problemCount === 0, JSON.stringify(summary.problems));
      if (watched) await checkLeftAlone(place, check);
      else await checkSealed(place, check, { device: DEVICE, directory: 'DC1', closed: parsed });
      await checkSealed(place, check, { device: DEVICE, directory: 'DC2', closed: true });
      const state = summary.directories.find(({ name }) => name === 'DC1')?.state;
      const expected = watched ? undefined : parsed ? 'closed' : 'unclosed';
      check(`the summary tells of DC1: ${expected ?? 'nothing'}`, state === expected, state);
    },
  };
}

function meaning(parsed: boolean, watched: boolean): string {
  if (watched) return 'finished, left alone';
  return parsed ? 'closed, sent and sealed' : 'unclosed, sent, and sealed once it is quiet';
}

async function checkLeftAlone(place: Place, check: Check): Promise<void> {
  const before = await place.recall<string[]>('before');
  const now = await traces(join(place.root(DEVICE), 'DC1'));
  check('DC1: no file was touched, made or removed', ...none(symmetricDifference(before, now)));
  check('DC1: nothing of it is at the target', !existsSync(join(place.store, DEVICE, 'DC1')));
}

/** The folder, and all that is in it, was last changed an hour ago. */
async function backdate(folder: string): Promise<void> {
  const then = Date.now() / 1000 - 3600;
  for (const name of await readdir(folder, { recursive: true })) await utimes(join(folder, name), then, then);
  await utimes(folder, then, then);
}

/** What any change of a file would change. */
async function traces(folder: string): Promise<string[]> {
  return [...(await filesBelow(folder))].map(
    ([path, stat]) =>
      `${path} ino ${stat.ino} mode ${stat.mode.toString(8)} mtime ${stat.mtimeMs} ctime ${stat.ctimeMs}`,
  );
}

function symmetricDifference(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((item) => !b.includes(item)), ...b.filter((item) => !a.includes(item))];
}
