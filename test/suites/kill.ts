import { basename, dirname } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../harness/process.ts';
import { differences, filesBelow, sameContent, type Tree } from '../../harness/data-tree.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';
import { VisibleFiles } from '../e2e/visible-files.ts';

/** Of each directory: from empty to several chunks, so that kills hit every way of transfer. */
const SIZES = [0, 1, 900, 20_000, 64 * 1024, 64 * 1024 + 1, 300_000, 1_300_000];
const FILES_EACH = 64;

/** What is killed when so much of all bytes is visible at the target. */
export interface Kill {
  readonly at: number;
  readonly scan: boolean;
  readonly receive: boolean;
}

function treeOf(directory: string): Tree {
  const files = Array.from({ length: FILES_EACH }, (_, index) => [
    `${directory}/${index % 3 === 0 ? 'sub/deep/' : ''}file-${index}`,
    SIZES[index % SIZES.length] ?? 0,
  ]);
  return { ...Object.fromEntries(files), [`${directory}/finished.parse`]: 'closed' };
}

/** Equal to its source; the parser's marker only beside all files of its directory. */
async function faultOf(source: string, copy: string): Promise<string | undefined> {
  if (!(await sameContent(source, copy))) return 'not equal to its source';
  if (basename(copy) !== 'finished.parse') return undefined;
  const faults = await differences(dirname(source), dirname(copy), (path) => path.includes('finished.watch'));
  return faults.length === 0 ? undefined : faults.join(', ');
}

/** Processes that are killed while directories of these names are sent. */
export function killTest(directories: readonly string[], kills: readonly Kill[]): void {
  test('kill -9 of either side at any moment loses nothing and shows nothing half', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    for (const directory of directories) await edge.write(treeOf(directory));
    const total = [...(await filesBelow(edge.root)).values()].reduce((sum, { size }) => sum + size, 0);
    // Slow enough that a kill hits the middle of something.
    const startDaemon = (): ReturnType<typeof edge.daemon> => edge.daemon(['--bwlimit', '15MB/s']);

    const visible = new VisibleFiles(edge.root, edge.copy, faultOf);
    let daemon = startDaemon();
    try {
      for (const { at, scan, receive } of kills) {
        await until(`${at * 100} % to be visible`, () => visible.bytes >= at * total);
        await Promise.all([scan && daemon.kill(), receive && stage.receiver.process.kill()]);
        if (receive) await stage.restartReceiver();
        if (scan) daemon = startDaemon();
      }
      await untilSealed(edge, directories, daemon);
    } finally {
      await visible[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    }
    expect(visible.faults).toEqual([]);
    expect(await edge.differences()).toEqual([]);
    expect(await leftOver(stage.store)).toEqual([]);
  });
}

/** Files of the store that are no device's, but for its own id: partial uploads and other temporaries. */
async function leftOver(store: string): Promise<string[]> {
  return [...(await filesBelow(store)).keys()].filter(
    (path) => path.startsWith('.') && path !== '.isync/store-id',
  );
}
