import { join } from 'node:path';
import { type FileEntry, sameVersion } from '../../../model/file-entry.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { hasMd5, type LookedAt } from '../../../s3/look.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import type { ActionOptions } from './actions.ts';
import { Gone } from './gone.ts';
import { KeyLook, type Looked } from './key-look.ts';
import { knownFrom, laterKnown } from './known-from.ts';
import { isAsWritten, type Local, lookAtLocal, md5OfLocal } from './local-file.ts';
import { type MappedFolder, storeOf } from './mapped-folders.ts';

import { Obstacles } from './obstacles.ts';
import type { Outcome } from '../outcome.ts';
import type { Task } from './task.ts';
import { taskFields } from '../task-fields.ts';
import { RangeBuffers } from './ranges.ts';
import { writeObject } from './write-object.ts';

/** How often one call begins anew because the object is replaced while it is read; then the queue's delay comes between. */
const NEW_VERSIONS = 5;

/** What an object is compared with: what is here, and what is known of it. */
interface Here {
  readonly known: KnownObject | undefined;
  readonly local: Local;
  /** Of the version that is here, as far as that can be told without the bucket. */
  readonly etag: string | undefined;
  /** Whether the state knows just this file as that of the key. */
  readonly isKnown: boolean;
}

/** Looks at the object of a key, and makes the file or folder of the key follow it. */
export class KeyAction {
  readonly #options: ActionOptions;
  readonly #look: KeyLook;
  readonly #gone: Gone;
  readonly #obstacles: Obstacles;
  readonly #buffers = new RangeBuffers();

  constructor(options: ActionOptions) {
    this.#options = options;
    this.#look = new KeyLook(options);
    this.#gone = new Gone(options);
    this.#obstacles = new Obstacles(options, this.#look);
  }

  /** One call at a time for a path. */
  async run(task: Task, folder: MappedFolder, signal: AbortSignal): Promise<Outcome> {
    for (let left = NEW_VERSIONS; ; left--)
      try {
        const here = await this.#here(task, folder, signal);
        return await this.#follow(
          task,
          folder,
          here,
          await this.#look.at(task, here.etag, here.known, signal),
          signal,
        );
      } catch (error) {
        if (!(error instanceof IsyncError) || error.code !== 'FILE_CHANGED' || left === 0) throw error;
      }
  }

  async #here(task: Task, { root }: MappedFolder, signal: AbortSignal): Promise<Here> {
    const { bucket, key, size } = task.event;
    const known = this.#options.state.get(bucket, key);
    const local = lookAtLocal(root, task.path);
    const isHere = known?.folder === root && known.path === task.path && known.kind === task.kind;
    if (task.kind === 'folder' || local.kind !== 'file') {
      const isKnown = isHere && local.kind === task.kind;
      return { known, local, etag: isKnown ? known.etag : undefined, isKnown };
    }
    if (isHere && sameVersion(local.entry, known)) return { known, local, etag: known.etag, isKnown: true };
    // Somebody else wrote it, or the state was lost: the same bytes need not come again.
    const isPossible = size === undefined || size === local.entry.size || task.event.kind === 'removed';
    const etag = isPossible ? await md5OfLocal(root, local.entry, signal) : undefined;
    return { known, local, etag, isKnown: false };
  }

  async #follow(
    task: Task,
    folder: MappedFolder,
    here: Here,
    look: Looked,
    signal: AbortSignal,
  ): Promise<Outcome> {
    switch (look.kind) {
      case 'same':
        return here.isKnown
          ? await this.#stillKnown(task, here)
          : await this.#adopt(task, folder, here, { etag: here.etag ?? '' }, signal);
      case 'found': {
        using object = look.object;
        const obstacle = await this.#obstacles.to(task, folder, here.local, signal);
        if (obstacle !== undefined) return obstacle;
        if (task.kind === 'folder') return await this.#makeFolder(task, folder, object, here);
        if (isSameFile(here, object)) return await this.#adopt(task, folder, here, object, signal);
        return await this.#write(task, folder, object, here, signal);
      }
      case 'gone':
        return await this.#gone.follow(task, folder, here.known);
      case 'done':
        return look.outcome;
    }
  }

  /** A later event of the same version makes removals before it older than what is here. */
  async #stillKnown({ event }: Task, { known }: Here): Promise<Outcome> {
    const later = known && event.kind === 'created' ? laterKnown(known, event) : undefined;
    if (later !== undefined && this.#options.dryRun !== true) await this.#options.state.set(later);
    return { outcome: 'unchanged' };
  }

  /** Takes the file that is here for that of the key: nothing has changed, unless a try of ours wrote it and could not tell. */
  async #adopt(
    task: Task,
    folder: MappedFolder,
    here: Here,
    { etag, versionId }: Pick<LookedAt, 'etag'> & Partial<Pick<LookedAt, 'versionId'>>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { local } = here;
    const { state, dryRun } = this.#options;
    if (local.kind !== 'file' || dryRun === true) return { outcome: 'unchanged' };
    const obstacle = await this.#obstacles.amongKeys(task, folder, signal);
    if (obstacle !== undefined) return obstacle;
    // Whoever put it there need not have made it durable.
    await storeOf(folder).settle(task.path);
    const { bucket, key } = task.event;
    if (state.pending().some((each) => each.bucket === bucket && each.key === key))
      await this.#changed(folder, task);
    const { size, mtimeUs } = local.entry;
    await this.#written(task, knownFrom(task, folder, { etag, versionId, size, mtimeUs }), here);
    return { outcome: 'unchanged' };
  }

  async #makeFolder(task: Task, folder: MappedFolder, object: LookedAt, here: Here): Promise<Outcome> {
    if (this.#options.dryRun === true) return { outcome: 'written', bytes: 0 };
    const { etag, versionId, modifiedMs } = object;
    const known = knownFrom(task, folder, { etag, versionId, size: 0, mtimeUs: 0 }, modifiedMs);
    await this.#options.state.setPending(known);
    await storeOf(folder).makeFolder(task.path);
    await this.#changed(folder, task);
    await this.#written(task, known, here);
    // Until the state knew it, the removal of the last file in it took it along.
    await storeOf(folder).makeFolder(task.path);
    return { outcome: 'written', bytes: 0 };
  }

  async #write(
    task: Task,
    folder: MappedFolder,
    object: LookedAt,
    here: Here,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { size, etag, versionId, modifiedMs } = object;
    if (this.#options.dryRun === true) return { outcome: 'written', bytes: size };
    const entry: FileEntry = { path: task.path, size, mtimeUs: modifiedMs * 1000 };
    const known = knownFrom(task, folder, { etag, versionId, size, mtimeUs: entry.mtimeUs }, modifiedMs);
    const noted = this.#options.state.setPending(known);
    noted.catch(() => {
      // Told to whoever waits for it.
    });
    await writeObject(object, entry, {
      store: storeOf(folder),
      buffers: this.#buffers,
      fetch: ({ start, end }, into, signal) =>
        this.#look.range(task.event, into, { ifMatch: etag, start, end, signal }, (bytes) =>
          this.#buffers.scavenger.freed(bytes),
        ),
      mayResume: () => this.#mayResume(task, etag),
      noted,
      signal,
    }).catch(async (error: unknown) => {
      await this.#unwritten(known, error, signal);
      throw error;
    });
    await this.#changed(folder, task);
    await this.#written(task, known, here);
    return { outcome: 'written', bytes: size };
  }

  /** What has failed for good is not about to be written any more: else all of that would pile up until the next start. */
  async #unwritten(known: KnownObject, error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted || !(error instanceof IsyncError) || error.retryable) return;
    try {
      // The name may have been given all the same.
      if (!isAsWritten(known)) await this.#options.state.removePending(known.bucket, known.key);
    } catch {
      // The next start does it.
    }
  }

  async #written(task: Task, known: KnownObject, { known: before }: Here): Promise<void> {
    const { state } = this.#options;
    const { bucket, key } = known;
    await Promise.all([
      state.set(known),
      state.removePending(bucket, key),
      state.partial(bucket, key) === undefined ? undefined : state.removePartial(bucket, key),
    ]);
    if (before !== undefined && (before.folder !== known.folder || before.path !== known.path))
      this.#leftBehind(task, before);
  }

  /** It was written where an earlier configuration had it, and the state knows one place a key. */
  #leftBehind(task: Task, before: KnownObject): void {
    const { folder, path } = before;
    if (!stands(before)) return;
    this.#options.log.warn('an object is mapped to another place than before: the old file stays', {
      ...taskFields(task),
      file: join(folder, path),
    });
  }

  async #mayResume({ event: { bucket, key } }: Task, etag: string): Promise<boolean> {
    const { state } = this.#options;
    if (state.partial(bucket, key)?.etag === etag) return true;
    await state.setPartial({ bucket, key, etag });
    return false;
  }

  async #changed({ root }: MappedFolder, { path }: Task): Promise<void> {
    await this.#options.changed?.(join(root, path));
  }
}

/** For an object that has no MD5, and a file that the state does not know: nothing else tells. */
function isSameFile({ local, isKnown }: Here, object: LookedAt): boolean {
  if (local.kind !== 'file' || isKnown || hasMd5(object)) return false;
  return sameVersion(local.entry, { ...local.entry, size: object.size, mtimeUs: object.modifiedMs * 1000 });
}

/** Whether something is where an object was written; also where that can't be told. */
function stands({ folder, path }: KnownObject): boolean {
  try {
    return lookAtLocal(folder, path).kind !== 'nothing';
  } catch {
    return true;
  }
}
