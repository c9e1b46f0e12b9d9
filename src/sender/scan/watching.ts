import type { FileIdentity } from '../../model/file-identity.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import type { WatchEvent } from '../../watcher/watch-event.ts';
import type { DirectoryWatch } from '../../watcher/directory-watch.ts';
import type { ScanContext } from './scan-context.ts';
import type { SubmissionListener } from './submissions.ts';

/** Watches one directory while it is told to, and tells the watch what has become of its files. */
export class Watching implements SubmissionListener {
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #onEvent: (event: WatchEvent) => void;
  #watch: DirectoryWatch | undefined;
  /** The watched folder is not there any more; another may stand under its name. */
  #isOver = false;

  constructor(context: ScanContext, directory: RelPath, onEvent: (event: WatchEvent) => void) {
    this.#context = context;
    this.#directory = directory;
    this.#onEvent = onEvent;
  }

  /** Undefined while there is none. */
  get watch(): DirectoryWatch | undefined {
    return this.#watch;
  }

  async start(): Promise<void> {
    if (this.#isOver) await this.stop();
    if (this.#watch !== undefined) return;
    const { options, ignore, machineLog } = this.#context;
    // Loaded when the scan begins to follow its root.
    const { watchDirectory } = await import('../../watcher/watch-directory.ts');
    this.#watch = await watchDirectory({
      root: options.root,
      directory: this.#directory,
      complete: options.complete,
      settleMs: options.settleMs,
      ignored: ignore,
      onEvent: (event) => {
        if (event.kind === 'gone') this.#isOver = true;
        this.#onEvent(event);
      },
      log: machineLog,
    });
    options.log.info('watching', { path: this.#directory, complete: this.#watch.helper });
  }

  async stop(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    this.#isOver = false;
    await watch?.[Symbol.asyncDispose]();
  }

  marked({ entry }: ListedFile, identity: FileIdentity): void {
    this.#watch?.handled(entry.path, identity);
  }

  changed(path: RelPath): void {
    this.#watch?.changed(path);
  }
}
