import { join } from 'node:path';
import { PathOrder } from '../../../flow/path-order.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import type { BucketPool } from '../bucket-pool.ts';
import { KeyAction } from './key-action.ts';
import { type FolderOptions, type MappedFolders, openMappedFolders } from './mapped-folders.ts';
import { settleKilledWrites } from './killed-writes.ts';
import type { Outcome } from '../outcome.ts';
import type { Apply, Task } from './task.ts';
import { parked } from '../parked.ts';

export interface ActionOptions extends FolderOptions {
  readonly buckets: BucketPool;
  /** Whether files go when their objects have gone. Default true. */
  readonly removals?: boolean | undefined;
  /** Agrees to pay for requests. Default false. */
  readonly requestPayer?: boolean | undefined;
  /** The id of the account that must own every bucket. */
  readonly bucketOwner?: string | undefined;
  /**
   * Called with the absolute path of each file and folder that has changed, before the state knows that; awaited. After a
   * crash it may be called once more.
   */
  readonly changed?: ((path: string) => Promise<void>) | undefined;
  readonly log: Log;
}

export interface Actions extends AsyncDisposable {
  readonly apply: Apply;
  readonly folders: MappedFolders;
}

/**
 * Opens the mapped folders, and gives what makes their files those of the buckets. Dispose of it when no call is under way.
 * @throws IsyncError STORE_MISSING, STORE_FAILED
 */
export async function createActions(options: ActionOptions): Promise<Actions> {
  const folders = await openMappedFolders(options);
  await using cleanup = new AsyncDisposableStack();
  cleanup.use(folders);
  await settleKilledWrites(options, folders);
  cleanup.move();
  const action = new KeyAction(options);
  // Keys may share a path: the second one then finds whose it is.
  const paths = new PathOrder<string>();
  return {
    folders,
    apply: async (task, signal) => {
      signal.throwIfAborted();
      const folder = folders.of(task.mapping);
      return await paths.run(join(folder.root, task.path), async () => {
        signal.throwIfAborted();
        await folder.check();
        if (folder.isReserved(task.path))
          return parked('BAD_PATH', 'the path is one of the files that isync has for itself');
        return await unlessInTheWay(task, () => action.run(task, folder, signal));
      });
    },
    [Symbol.asyncDispose]: async () => {
      await paths.idle();
      await folders[Symbol.asyncDispose]();
    },
  };
}

/** What concerns the path alone is for a person, and no trouble of anything else. */
async function unlessInTheWay({ path }: Task, act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof IsyncError) || error.retryable || !OF_THE_PATH.has(error.code)) throw error;
    return parked(error.code, `${error.message} (${error.path ?? path})`, error.hint);
  }
}

const OF_THE_PATH: ReadonlySet<string> = new Set(['PATH_CONFLICT', 'BAD_PATH', 'FILE_TOO_LARGE']);
