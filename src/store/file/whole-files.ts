import type { PathOrder } from '../../flow/path-order.ts';
import { isAllZeros } from '../../model/damage.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { PutOutcome, WholeFile } from '../store.ts';
import type { DeviceQueues, Queues } from './device-queues.ts';
import { discard } from './stage-file.ts';
import { storeError } from './system-errors.ts';

export interface WholeFilesOptions<File extends WholeFile> {
  readonly publishing: PathOrder;
  readonly queues: DeviceQueues;
  /** @throws what a file is refused with before anything is written */
  readonly check: (file: File) => void;
  readonly outcome: PutOutcome<File>;
  readonly replaceDamaged: boolean;
}

/**
 * Puts files that are whole in memory: staged, then named, each by a callback. All files of a call take one place in the order of
 * paths, and one promise: 256 of each would cost more than the files. Resolves when each has its outcome; never rejects.
 */
export async function putWholeFiles<File extends WholeFile>(
  files: readonly File[],
  options: WholeFilesOptions<File>,
): Promise<void> {
  const { publishing, queues } = options;
  const taken = files.filter((each) => isTaken(each, options));
  const { together, inTurn } = publishing.split(taken, pathOf);
  const byDevice = Map.groupBy(together, (each) => queues.deviceOf(pathOf(each)));
  const puts = [...byDevice].map(([device, some]) =>
    publishing.runAll(some.map(pathOf), () => queues.useOf(device, (of) => putAll(of, some, options))),
  );
  for (const each of inTurn) {
    const device = queues.deviceOf(pathOf(each));
    puts.push(queues.useOf(device, (of) => publishing.run(pathOf(each), () => putAll(of, [each], options))));
  }
  await Promise.all(puts);
}

function pathOf({ file }: WholeFile): RelPath {
  return file.path;
}

function isTaken<File extends WholeFile>(file: File, { check, outcome }: WholeFilesOptions<File>): boolean {
  try {
    check(file);
    return true;
  } catch (error) {
    outcome.refused(file, storeError(error, pathOf(file)));
    return false;
  }
}

/** Resolves when each of `files`, of which there is one at least, has its outcome. */
function putAll<File extends WholeFile>(
  { stager, publisher }: Queues,
  files: readonly File[],
  { outcome, replaceDamaged }: WholeFilesOptions<File>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = files.length;
  const ended = (): void => {
    left -= 1;
    if (left === 0) resolve();
  };
  const refuse = (file: File, reason: unknown): void => {
    outcome.refused(file, storeError(reason, pathOf(file)));
    ended();
  };
  for (const each of files) {
    const { file, digest, bytes } = each;
    stager.stage(file, bytes, (staged, error) => {
      if (staged === undefined) return refuse(each, error);
      const allZeros = isAllZeros(bytes);
      publisher.publishThen({ file, digest, allZeros, staged, replaceDamaged }, (failure) => {
        if (failure !== undefined) return void discard(staged).then(() => refuse(each, failure));
        outcome.kept(each);
        ended();
      });
    });
  }
  return promise;
}
