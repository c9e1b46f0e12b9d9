import { LRUCache } from 'lru-cache';
import { toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import {
  changedSinceSeal,
  isNewerThanSeal,
  isSealed,
  type DataDirectory,
} from '../../scanner/data-directory.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import { inspectDataDirectory } from '../../scanner/list-data-directories.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import { removeWatchMarker } from '../../scanner/markers.ts';
import { discrepancies } from './discrepancies.ts';
import type { ScanContext } from './scan-context.ts';

/** Sealed directories remembered as looked into since they changed; of more the oldest are looked into again. */
const MAX_LOOKED_INTO = 10_000;

/**
 * Notices files that come into sealed directories: whatever changed a folder after its marker was written. A folder that
 * only lost files is left alone. Costs one comparison with the target for each change, and nothing for the others.
 */
export class SealedGrowth {
  readonly #context: ScanContext;
  readonly #onReopened: () => void;
  /** By name: the mtime (ms) of the folder when it was looked into. */
  readonly #lookedInto = new LRUCache<RelPath, number>({ max: MAX_LOOKED_INTO });
  /** Directories that wait for their turn: one is looked into at a time. */
  readonly #waiting = new Set<RelPath>();
  #work: Promise<void> = Promise.resolve();
  #reopened = 0;

  /** @param onReopened called when a directory was opened again */
  constructor(context: ScanContext, onReopened: () => void) {
    this.#context = context;
    this.#onReopened = onReopened;
  }

  /** Directories that were opened again. */
  get reopened(): number {
    return this.#reopened;
  }

  /** Takes a sealed directory as a sweep has found it. */
  look(directory: DataDirectory): void {
    if (directory.seal?.record === undefined || !changedSinceSeal(directory)) return;
    const { name, mtimeMs } = directory;
    if (this.#waiting.has(name) || this.#lookedInto.get(name) === mtimeMs) return;
    this.#lookedInto.set(name, mtimeMs);
    this.#waiting.add(name);
    this.#work = this.#work.then(async () => {
      this.#waiting.delete(name);
      await this.#lookInto(name);
    });
  }

  /** Resolves when all that was taken has been looked into. */
  async idle(): Promise<void> {
    await this.#work;
  }

  async #lookInto(name: RelPath): Promise<void> {
    const { options, tally, stopping, cut } = this.#context;
    if (stopping.aborted) return;
    try {
      const { store, listedMtime } = await this.#context.store.identify({ signal: cut });
      // Its seal may be gone by now, or stand for another store: then the directory has a run, with problems of its own.
      const directory = inspectDataDirectory(options.root, name);
      if (directory === undefined || !isSealed(directory, store, options.target.traits.device)) return;
      tally.forgetProblems(name);
      if ((await this.#fingerprintOf(name)) === directory.seal?.record?.fingerprint) return;
      const { count, first } = await this.#newFiles(directory, listedMtime);
      if (first === undefined) return;
      if (options.reopen) {
        options.log.info('opened again: it has grown since it was sealed', { path: name });
        await removeWatchMarker(options.root, name);
        this.#reopened++;
        this.#onReopened();
        return;
      }
      const message = `${count} of its files came after it was sealed and are not at the target, like "${first}": remove its finished.watch, or use --reopen`;
      tally.problem(name, { path: name, code: 'SEALED_GROWN', message });
    } catch (thrown) {
      // Looked into again at the next sweep.
      this.#lookedInto.delete(name);
      if (!stopping.aborted) this.#failed(name, thrown);
    }
  }

  #failed(name: RelPath, thrown: unknown): void {
    const error = toIsyncError(thrown, 'FILE_UNREADABLE', { path: name });
    if (this.#context.options.once) this.#context.fail(error);
    else this.#context.tally.problem(name, { path: name, code: error.code, message: error.message });
  }

  async #fingerprintOf(name: RelPath): Promise<string> {
    const { options, ignore, stopping } = this.#context;
    const print = new Fingerprint();
    for await (const batch of listDirectory(options.root, name, { ignore, signal: stopping }))
      for (const finding of batch) if (finding.kind === 'file') print.addFile(finding.file);
    return print.toString();
  }

  /** Of a directory that the target has retired, those that have come or changed since the seal: the others need not be there. */
  async #newFiles(
    directory: DataDirectory,
    listedMtime: boolean,
  ): Promise<{ count: number; first: RelPath | undefined }> {
    const { options, cut } = this.#context;
    const { name } = directory;
    const isRetired = (await options.target.retiredAt(name, { signal: cut })) !== undefined;
    let count = 0;
    let first: RelPath | undefined;
    for await (const { file } of discrepancies(this.#context, name, { listedMtime })) {
      if (isRetired && !isNewerThanSeal(file, directory)) continue;
      count++;
      first ??= file.entry.path;
    }
    return { count, first };
  }
}
