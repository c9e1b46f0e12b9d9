import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { addAbortListener } from 'node:events';
import { lstatSync } from 'node:fs';
import { type FileHandle, open, rename, rm, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { childEnvironment } from '../../exec/child-environment.ts';
import { type Ending, KILL_AFTER_MS } from '../../exec/child.ts';
import { endingText } from '../../exec/ending-text.ts';
import { OutputLines } from '../../exec/output-lines.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import { syncNames } from '../../sqlite/state-folder.ts';
import type { BackupSource } from '../job.ts';
import { writeFault } from './file-fault.ts';

/** Bytes that a command leaves free on the disk of the state: the spool and the list need some, and so do others. */
const LEAST_FREE_BYTES = 256 * 1024 * 1024;
/** Bytes between two looks at the free space. */
const LOOK_EVERY_BYTES = 16 * 1024 * 1024;
/** How long nothing may come, in ms, from what a command that has ended left running with its output open. */
const HELD_OPEN_MS = 10_000;

const WHAT = 'what a command prints';

export type CommandSource = Extract<BackupSource, { kind: 'command' }>;

export interface CommandOptions extends Abortable {
  readonly log: Log;
  readonly leastFreeBytes?: number | undefined;
  readonly heldOpenMs?: number | undefined;
}

/**
 * Runs a command, and returns the file that has what it printed, for its owner alone, durable. Where the folder has it already, of a run that was
 * killed, the command isn't run again: tar must be fed the same bytes.
 * @throws IsyncError SOURCE_FAILED where it fails, or prints nothing and may not; STORE_FULL where the disk would be full
 */
export async function commandOutput(
  source: CommandSource,
  folder: string,
  options: CommandOptions,
): Promise<string> {
  const path = join(folder, outputName(source));
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  const partial = `${path}.partial`;
  try {
    await rm(partial, { force: true });
    const file = await open(partial, 'wx', 0o600);
    try {
      const bytes = await new CommandRun(source, file, folder, options).finish();
      if (bytes === 0 && !source.allowEmpty) throw failed(source, 'printed nothing');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncNames(folder);
    return path;
  } catch (error) {
    await rm(partial, { force: true });
    throw writeFault(error, path, WHAT);
  }
}

/** Of another command, or the same in another place, another one. */
function outputName({ command, as }: CommandSource): string {
  return createHash('sha256')
    .update(JSON.stringify([as, command]))
    .digest('hex');
}

/** A command whose output goes into a file, in a process group of its own. */
class CommandRun {
  readonly #source: CommandSource;
  readonly #file: FileHandle;
  readonly #folder: string;
  readonly #options: CommandOptions;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  #kill: NodeJS.Timeout | undefined;
  #held: NodeJS.Timeout | undefined;
  #isWriting = false;

  constructor(source: CommandSource, file: FileHandle, folder: string, options: CommandOptions) {
    this.#source = source;
    this.#file = file;
    this.#folder = folder;
    this.#options = options;
    const [program = '', ...args] = source.command;
    try {
      this.#child = spawn(program, args, {
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: childEnvironment(process.env),
      });
    } catch (error) {
      throw failed(source, `could not be started: ${error instanceof Error ? error.message : ''}`, error);
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ kind: 'not started', error }));
      this.#child.once('exit', (code, name) =>
        resolve(code === null ? { kind: 'signal', signal: name ?? 'a signal' } : { kind: 'exit', code }),
      );
    });
  }

  /** Resolves to the bytes that it printed, when it has ended well. */
  async finish(): Promise<number> {
    const { signal } = this.#options;
    using _ = signal && addAbortListener(signal, () => this.#giveUp());
    this.#tellErrors();
    let isOver = false;
    let failure: unknown;
    const copied = this.#copy();
    copied.catch((error: unknown) => {
      // Whoever fills the disk is ended now, and how it ends then is no news.
      if (isOver) return;
      failure = error;
      this.#stop();
    });
    const ending = await this.#ended;
    isOver = true;
    clearTimeout(this.#kill);
    const isGood = ending.kind === 'exit' && ending.code === 0 && signal?.aborted !== true;
    if (isGood) this.#giveUpSilence();
    else this.#endRest();
    try {
      if (isGood) return await copied;
      // The file is closed once nothing is written any more.
      await copied.catch(() => undefined);
      if (ending.kind === 'not started' || failure === undefined)
        throw failed(this.#source, endingText(ending));
      throw writeFault(failure, this.#folder, WHAT);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(this.#held);
      this.#child.stderr?.destroy();
    }
  }

  async #copy(): Promise<number> {
    let bytes = 0;
    let looked = Number.NEGATIVE_INFINITY;
    // Without files left to open, a child has no streams, and doesn't start.
    for await (const piece of this.#child.stdout ?? []) {
      if (!(piece instanceof Uint8Array)) continue;
      this.#isWriting = true;
      if (bytes - looked >= LOOK_EVERY_BYTES) {
        await this.#checkSpace();
        looked = bytes;
      }
      await this.#file.writeFile(piece);
      bytes += piece.length;
      this.#isWriting = false;
      this.#held?.refresh();
    }
    return bytes;
  }

  async #checkSpace(): Promise<void> {
    const { leastFreeBytes = LEAST_FREE_BYTES } = this.#options;
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize - LOOK_EVERY_BYTES >= leastFreeBytes) return;
    throw new IsyncError(
      'STORE_FULL',
      `what the command of "${this.#source.as}" prints would fill the disk`,
      {
        path: this.#folder,
        retryable: false,
        hint: 'Make room, or put stateDir on a larger disk.',
      },
    );
  }

  #tellErrors(): void {
    const { log } = this.#options;
    const lines = new OutputLines((line) =>
      log.warn('a command of a source said', { as: this.#source.as, line }),
    );
    this.#child.stderr?.on('data', (bytes: Buffer) => lines.write(bytes));
    this.#child.stderr?.once('close', () => lines.end());
  }

  /** After its end. What still prints may be the last part of a dump, so it is waited for; cut short it is never kept. */
  #giveUpSilence(): void {
    this.#held = setTimeout(() => {
      if (this.#isWriting) this.#held?.refresh();
      else
        this.#child.stdout?.destroy(
          failed(this.#source, 'left something running that holds its output open'),
        );
    }, this.#options.heldOpenMs ?? HELD_OPEN_MS);
  }

  #stop(): void {
    if (this.#kill !== undefined) return;
    this.#signal('SIGTERM');
    this.#kill = setTimeout(() => this.#signal('SIGKILL'), KILL_AFTER_MS);
  }

  #giveUp(): void {
    const { exitCode, signalCode } = this.#child;
    // Once it has ended, the number of its group may be another one's.
    if (exitCode === null && signalCode === null) this.#stop();
    else this.#child.stdout?.destroy();
  }

  /** To be called at once when it has ended. */
  #endRest(): void {
    this.#signal('SIGKILL');
    this.#child.stdout?.destroy();
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // All of it has ended.
    }
  }
}

/** Of the command only the program is named: a word of it may be a secret. */
function failed({ command, as }: CommandSource, why: string, cause?: unknown): IsyncError {
  return new IsyncError('SOURCE_FAILED', `the command of "${as}" (${basename(command[0] ?? '')}) ${why}`, {
    cause,
  });
}
