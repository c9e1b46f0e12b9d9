import { IsyncError } from '../../../model/isync-error.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import type { ActionOptions } from './actions.ts';
import type { KeyLook } from './key-look.ts';
import type { Local } from './local-file.ts';
import type { MappedFolder } from './mapped-folders.ts';
import type { Outcome } from '../outcome.ts';
import type { Task } from './task.ts';
import { parked } from '../parked.ts';

const FOR_PATHS = 'Remove or rename what is in the way, in the bucket or here, and replay the record.';

/** What keeps an object from its path: what is there stays. */
export class Obstacles {
  readonly #options: ActionOptions;
  readonly #look: KeyLook;

  constructor(options: ActionOptions, look: KeyLook) {
    this.#options = options;
    this.#look = look;
  }

  /**
   * Why nothing may be written to the path; undefined where it may be.
   * @throws IsyncError BUSY, retryable, where another key is in the way whose removal is yet to be followed
   */
  async to(
    task: Task,
    folder: MappedFolder,
    local: Local,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const among = await this.amongKeys(task, folder, signal);
    if (among !== undefined) return among;
    if (local.kind === 'blocked')
      return parked('PATH_CONFLICT', `${local.what} is in the way of ${task.path}`, FOR_PATHS);
    if (local.kind === 'folder' && task.kind === 'file')
      return parked('PATH_CONFLICT', `a folder is where the file ${task.path} must go`, FOR_PATHS);
    if (local.kind === 'file' && task.kind === 'folder')
      return parked('PATH_CONFLICT', `a file is where the folder ${task.path} must go`, FOR_PATHS);
    return undefined;
  }

  /** The same, as far as other keys are concerned. */
  async amongKeys(task: Task, folder: MappedFolder, signal: AbortSignal): Promise<Outcome | undefined> {
    const other = this.#otherKey(task, folder);
    if (other === undefined) return undefined;
    const name = `s3://${other.bucket}/${other.key}`;
    if (this.#options.removals !== false && (await this.#look.isGone(other, signal)))
      throw new IsyncError('BUSY', `the path is still that of ${name}, which is gone`, {
        path: task.path,
        retryable: true,
        hint: 'It comes free once that removal is followed: by its event, or by a --resync.',
      });
    return parked('PATH_CONFLICT', `${name} has ${other.path} as its ${other.kind}`, FOR_PATHS);
  }

  #otherKey({ event, path, kind }: Task, { root }: MappedFolder): KnownObject | undefined {
    const { owner, below, above } = this.#options.state.useOf(root, path);
    const inTheWay =
      kind === 'file' ? [owner, below, above] : [owner?.kind === 'file' ? owner : undefined, above];
    return inTheWay.find(
      (each) => each !== undefined && (each.bucket !== event.bucket || each.key !== event.key),
    );
  }
}
