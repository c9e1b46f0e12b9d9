import { AbortWatch } from '../../../flow/abort-watch.ts';
import { TaskGroup } from '../../../flow/task-group.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import type { Action, Route, Task } from '../action.ts';
import { lookTwice } from '../look-twice.ts';
import type { Outcome } from '../outcome.ts';
import { runScript } from './run-script.ts';
import { ScriptOutput } from './script-output.ts';
import type { ScriptSource, Seen } from './script-source.ts';
import { taskFields } from '../task-fields.ts';

/** How long a script may take, in ms, unless told otherwise. */
const TIMEOUT_MS = 300_000;
/** From TERM to KILL for one that took longer, in ms: it may have something to tidy up. */
const TIDY_MS = 10_000;
/** That a script can't be started is told aloud again after this long, in ms. */
const REPEAT_MS = 60_000;

export interface ScriptOptions {
  /** What to run, absolute; see checkScript. */
  readonly file: string;
  /** Default {@link TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
  /** Default {@link TIDY_MS}. */
  readonly tidyMs?: number | undefined;
  /** Asked whether an object is there, before and after each run. Default: the event is believed. */
  readonly source?: ScriptSource | undefined;
  /** Told of each further run because the object changed meanwhile. */
  readonly lookedAgain?: (() => void) | undefined;
  readonly log: Log;
}

type Does = 'copy' | 'delete';

/**
 * Runs `FILE bucket key copy|delete` for each event, without a shell, with the event on stdin and about it in the environment
 * (ISYNC_…). The caller holds how many run at a time. Disposing waits for those under way: fire their signal before.
 */
export function scriptAction(options: ScriptOptions): Action<undefined> {
  return new ScriptAction(options);
}

class ScriptAction implements Action<undefined> {
  readonly name = 'script';
  readonly needs = 'each';
  readonly #options: ScriptOptions;
  readonly #output = new ScriptOutput();
  readonly #watch = new AbortWatch();
  readonly #running = new TaskGroup();
  #toldAtMs = -Infinity;

  constructor(options: ScriptOptions) {
    this.#options = options;
  }

  route({ bucket, key }: Task['event']): Route<undefined> {
    if (key.includes('\0'))
      return { kind: 'refused', reason: 'has a NUL, which no argument of a program can have' };
    return { kind: 'task', target: undefined, place: `${bucket}\0${key}` };
  }

  readonly act = (task: Task<undefined>, signal: AbortSignal): Promise<Outcome> => {
    const acted = this.#act(task, signal);
    this.#running.add(
      acted.then(
        () => undefined,
        () => undefined,
      ),
    );
    return acted;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.idle();
  }

  async #act(task: Task<undefined>, signal: AbortSignal): Promise<Outcome> {
    signal.throwIfAborted();
    const { source, lookedAgain = () => undefined } = this.#options;
    const { event } = task;
    if (source === undefined) {
      const does = event.kind === 'created' ? 'copy' : 'delete';
      return await this.#run(task, does, event, signal);
    }
    return await lookTwice<Seen, Outcome>({
      look: () => source.look(task, signal),
      act: async (seen) => {
        if (seen.kind === 'there') return await this.#run(task, 'copy', seen, signal);
        return seen.unless ?? (await this.#run(task, 'delete', {}, signal));
      },
      lookedAgain,
    });
  }

  async #run(
    task: Task<undefined>,
    does: Does,
    {
      etag = '',
      versionId = '',
    }: { readonly etag?: string | undefined; readonly versionId?: string | undefined },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { file, timeoutMs = TIMEOUT_MS, tidyMs = TIDY_MS, log } = this.#options;
    const { messageId, attempt, body } = task;
    const { bucket, key, name } = task.event;
    try {
      await runScript(
        {
          file,
          args: [bucket, key, does],
          env: {
            ISYNC_BUCKET: bucket,
            ISYNC_KEY: key,
            ISYNC_ACTION: does,
            ISYNC_EVENT: name,
            ISYNC_ETAG: etag,
            ISYNC_VERSION: versionId,
            ISYNC_ATTEMPT: String(attempt),
            ISYNC_ID: messageId,
          },
          input: `${body()}\n`,
          timeoutMs,
          tidyMs,
          output: this.#output,
          log: log.with(taskFields(task)),
        },
        signal,
        this.#watch,
      );
      return { outcome: 'done' };
    } catch (error) {
      if (error instanceof IsyncError && error.code === 'CONFIG_INVALID') this.#tell(error, task);
      throw error;
    }
  }

  /** Nothing is done at all until somebody mends it. */
  #tell({ message, path, hint }: IsyncError, task: Task<undefined>): void {
    const now = performance.now();
    if (now - this.#toldAtMs < REPEAT_MS) return;
    this.#toldAtMs = now;
    this.#options.log.error(`${message}: nothing is done until it can be`, {
      ...taskFields(task),
      file: path,
      hint,
    });
  }
}
