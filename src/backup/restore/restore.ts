import type { Manifest } from '../manifest/manifest.ts';
import { Archives } from '../read/archives.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { ReadContext } from '../read/read-context.ts';
import { type SpooledList, spoolList } from '../read/spooled-list.ts';
import { type Destination, openDestination } from './destination.ts';
import { OpenFolder } from './open-folder.ts';
import { restoreContent } from './restore-content.ts';
import { restoreLinks } from './restore-links.ts';
import { Tally } from './tally.ts';
import { createSelection } from './selection.ts';

export interface RestoreRequest {
  readonly context: ReadContext;
  readonly manifest: Manifest;
  /** Absolute path of the folder that members are restored below: missing, empty, or to be replaced. */
  readonly to: string;
  /** See createSelection. */
  readonly globs: readonly string[];
  /** Restores beside the folder, and takes its place when all is there. */
  readonly isReplace: boolean;
  /** Goes on with a restore of the same that was interrupted, or had problems. What is there is read, and kept where it is right. */
  readonly isResume: boolean;
  /** Counts as it goes on, for whoever wants to look meanwhile. */
  readonly tally?: Tally | undefined;
}

export interface Restored {
  readonly tally: Tally;
  /** Where it is: `to`, or beside it where it had problems and was to replace a folder. */
  readonly folder: string;
  /** Without problems. Else the folder keeps the marker of a restore, and nothing is replaced. */
  readonly isComplete: boolean;
  /** Where the folder that was replaced is now. */
  readonly keptAs: string | undefined;
}

/**
 * Restores a backup, or what the globs name of it. Each file is checked by its digest; what can't be read is a problem in the tally, and
 * the rest is restored. Rejects where it can't go on: the store, the disk, the key; `isResume` goes on from there.
 * @throws IsyncError PATH_CONFLICT of the destination, BACKUP_DAMAGED of the list, USAGE where nothing is named, KEY_MISSING
 */
export async function restore(request: RestoreRequest): Promise<Restored> {
  const { context, manifest, globs, isReplace, isResume, tally = new Tally() } = request;
  const { signal } = context;
  const destination = await openDestination({
    to: request.to,
    isReplace,
    isResume,
    marker: { format: 1, name: manifest.name, list: manifest.list.sha256, globs: [...globs] },
  });
  const { folder, isResumed } = destination;
  await using list = await listOf(request, destination);
  const root = OpenFolder.root(folder);
  try {
    const shared = { root, isSelected: createSelection(globs), isResumed, tally, signal };
    await restoreContent({
      ...shared,
      records: list.records(),
      archives: new Archives(context, manifest),
    });
    await restoreLinks({ ...shared, records: list.records() });
  } finally {
    root.release();
  }
  const isComplete = tally.problems === 0;
  const keptAs = isComplete ? await destination.finish() : undefined;
  return { tally, folder: isComplete ? request.to : folder, isComplete, keptAs };
}

/** The list, read to its end: where something in it is wrong, or nothing is named, the folder is as if nobody had tried. */
async function listOf(
  { context, manifest, globs }: RestoreRequest,
  destination: Destination,
): Promise<SpooledList> {
  let list: SpooledList | undefined;
  try {
    list = await spoolList(context, manifest, destination.folder);
    const isSelected = createSelection(globs);
    let selected = 0;
    for await (const { path } of list.records()) if (isSelected(path)) selected++;
    if (selected > 0 || globs.length === 0) return list;
    throw new IsyncError('USAGE', `the backup has nothing that ${globs.join(' ')} names`, {
      hint: 'A glob without "/" names a file or folder at any depth; with one, it is the whole path in the backup.',
    });
  } catch (error) {
    await list?.[Symbol.asyncDispose]();
    if (!destination.isResumed) await destination.discard();
    throw error;
  }
}
