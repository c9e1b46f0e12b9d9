import { join } from 'node:path';
import { sameVersion } from '../../../model/file-entry.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import type { ActionOptions } from './actions.ts';
import { lookAtLocal } from './local-file.ts';
import { type MappedFolder, storeOf } from './mapped-folders.ts';
import type { Outcome } from '../outcome.ts';
import type { Task } from './task.ts';
import { taskFields } from '../task-fields.ts';
import { parked } from '../parked.ts';

/** Follows an object that is certainly gone: what was written for it goes, and nothing else. */
export class Gone {
  readonly #options: ActionOptions;

  constructor(options: ActionOptions) {
    this.#options = options;
  }

  async follow(task: Task, folder: MappedFolder, known: KnownObject | undefined): Promise<Outcome> {
    const { state, removals = true, dryRun = false } = this.#options;
    const { bucket, key } = task.event;
    if (!dryRun && state.partial(bucket, key) !== undefined) await state.removePartial(bucket, key);
    // What the state does not know we have not written.
    if (known === undefined || !removals) return { outcome: 'unchanged' };
    if (known.folder !== folder.root || known.path !== task.path) return await this.#elsewhere(known, task);
    return task.kind === 'folder' ? await this.#folder(task, folder) : await this.#file(task, folder, known);
  }

  async #file({ path, event }: Task, folder: MappedFolder, known: KnownObject): Promise<Outcome> {
    const local = lookAtLocal(folder.root, path);
    if (local.kind === 'blocked')
      return parked('PATH_CONFLICT', `${local.what} is in the way of ${path}, whose object is gone`);
    if (local.kind === 'file' && !sameVersion(local.entry, known))
      return parked(
        'FILE_CHANGED',
        `the object is gone, and ${path} was changed here since it was written: it stays`,
        'Remove the file, or put it into the bucket; then replay the record.',
      );
    if (this.#options.dryRun === true) return { outcome: 'removed' };
    if (local.kind === 'file') await storeOf(folder).remove(path);
    await this.#changed(folder, path);
    await this.#options.state.remove(event.bucket, event.key);
    return { outcome: 'removed' };
  }

  async #folder({ path, event }: Task, folder: MappedFolder): Promise<Outcome> {
    if (this.#options.dryRun === true) return { outcome: 'removed' };
    await this.#changed(folder, path);
    // First: the store keeps folders that a key wants.
    await this.#options.state.remove(event.bucket, event.key);
    await storeOf(folder).removeFolder(path);
    return { outcome: 'removed' };
  }

  /** It was written where an earlier configuration had it. */
  async #elsewhere(known: KnownObject, task: Task): Promise<Outcome> {
    this.#options.log.warn('an object is gone whose file is no longer mapped: the file stays', {
      ...taskFields(task),
      file: join(known.folder, known.path),
    });
    if (this.#options.dryRun !== true) await this.#options.state.remove(known.bucket, known.key);
    return { outcome: 'unchanged' };
  }

  async #changed({ root }: MappedFolder, path: string): Promise<void> {
    await this.#options.changed?.(join(root, path));
  }
}
