import {
  execFile,
  spawn,
  type ChildProcessWithoutNullStreams,
  type ExecFileException,
} from 'node:child_process';
import type { Abortable } from '../model/abortable.ts';
import { IsyncError } from '../model/isync-error.ts';
import { InotifywaitOutput, OUTPUT_ARGUMENTS, type InotifywaitEvents } from './inotifywait-output.ts';

/** `inotifywait --help` answers in a few ms; on a busy machine it may not within this long, in ms, which says nothing of its version. */
const PROBE_DEADLINE_MS = 5_000;
/** Setting up watches takes about 10 µs a folder; after this long, in ms, something else is wrong. */
const ESTABLISH_DEADLINE_MS = 60_000;
/** The shell ends its child and itself at once when asked; after this long, in ms, it is killed. */
const STOP_DEADLINE_MS = 2_000;
/** Of what inotifywait complains about, this many characters are kept. */
const MAX_COMPLAINT = 500;
const COMMAND = 'inotifywait';
const ESTABLISHED = 'Watches established.';

/**
 * inotifywait does not notice that its parent has died, so a shell stands between: its `read` ends when our end
 * of the pipe closes, also when we are killed by SIGKILL. The shell lets go of both outputs, so that their end
 * means that inotifywait has ended.
 */
const WRAPPER = '"$@" </dev/null & p=$!; exec >&- 2>&-; read -r _; kill "$p"; wait "$p"';

/** What a look at inotifywait has found. 'silent': it could not be started or did not answer, which may pass. */
export type InotifywaitProbe = 'usable' | 'missing' | 'too old' | 'silent';

/** Whether the inotifywait on this machine can be used: names must come with NUL after them (3.22 and newer can). */
export function probeInotifywait(): Promise<InotifywaitProbe> {
  return new Promise((resolve) => {
    try {
      // Some versions end `--help` with code 1, so only what it says counts.
      execFile(COMMAND, ['--help'], { timeout: PROBE_DEADLINE_MS }, (error, stdout, stderr) => {
        const help = stdout + stderr;
        if (help.includes('--no-newline')) resolve('usable');
        else if (error !== null && mayPass(error)) resolve('silent');
        else resolve(help.includes('inotifywait') ? 'too old' : 'missing');
      });
    } catch {
      // What spawn throws at once: no memory for one more process.
      resolve('silent');
    }
  });
}

/** Killed, as by the deadline, or not started for want of processes, memory or descriptors. */
function mayPass({ code, signal }: ExecFileException): boolean {
  if (signal !== undefined && signal !== null) return true;
  return typeof code === 'string' && !MISSING.has(code);
}

/** Codes of a command that is not there, or must not be run. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM']);

export interface InotifywaitOptions {
  /** Absolute path of the folder to watch, with all folders in it. */
  readonly directory: string;
  onEvents(events: InotifywaitEvents): void;
  /** Something could not be watched; what is told may be incomplete. Only after the watches were established. */
  onComplaint(text: string): void;
}

/** Returns why files can't be known by their close, with the cure; undefined where they can. Retryable: they may be later. */
export async function closeWriteFault(): Promise<IsyncError | undefined> {
  const found = await probeInotifywait();
  if (found === 'usable') return undefined;
  if (found === 'silent')
    return new IsyncError('WATCH_FAILED', 'inotifywait does not answer', {
      retryable: true,
      hint: 'It is tried again and again. Is the machine overloaded, or out of processes, memory or descriptors?',
    });
  const message = found === 'missing' ? 'inotifywait is not installed' : 'inotifywait is older than 3.22';
  return new IsyncError('CONFIG_INVALID', message, {
    hint: 'Install inotify-tools 3.22 or newer (apt-get install inotify-tools), or use --complete settle.',
  });
}

/** A running inotifywait. It ends with us, however we end. */
export class Inotifywait implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #gone: Promise<void>;
  readonly #options: InotifywaitOptions;
  readonly #established = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<string>();
  #isEstablished = false;
  #complaint = '';

  private constructor(options: InotifywaitOptions) {
    this.#options = options;
    const watch = [COMMAND, '-m', '-r', '-e', 'close_write,moved_to', ...OUTPUT_ARGUMENTS, '.'];
    this.#child = spawn('/bin/sh', ['-c', WRAPPER, 'isync-inotifywait', ...watch], {
      cwd: options.directory,
      env: { ...process.env, LC_ALL: 'C' },
      // Its own session: Ctrl-C must not end it while we finish what is in flight.
      detached: true,
    });
    this.#gone = this.#listen();
    // Not everyone waits for it.
    this.#established.promise.catch(() => undefined);
  }

  /** Resolves when the watches stand; rejects with WATCH_FAILED, and nothing is left running then. */
  static async start(options: InotifywaitOptions, { signal }: Abortable): Promise<Inotifywait> {
    const process = new Inotifywait(options);
    const stop = (): void => process.#end('stopped');
    signal?.addEventListener('abort', stop);
    if (signal?.aborted === true) stop();
    const deadline = setTimeout(() => process.#end('it took too long'), ESTABLISH_DEADLINE_MS);
    try {
      await process.#established.promise;
      return process;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      clearTimeout(deadline);
    }
  }

  /** Resolves with the reason when it has ended, whether by itself or because it was disposed. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('stopped');
    if (this.#child.pid === undefined) {
      await this.#gone;
      return;
    }
    this.#child.stdin.end();
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    await this.#gone;
    clearTimeout(deadline);
    // Should inotifywait have outlived a killed shell, its next line ends it by SIGPIPE.
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  #listen(): Promise<void> {
    const child = this.#child;
    // Where no descriptor was left there are no pipes either, whatever the types say; 'error' tells.
    if (child.pid !== undefined) this.#readPipes();
    return new Promise((resolve) => {
      child.on('exit', () => {
        this.#end('its shell has ended');
        resolve();
      });
      child.on('error', (error) => {
        this.#end(error.message);
        // Without a process id there will be no 'exit'.
        if (child.pid === undefined) resolve();
      });
    });
  }

  #readPipes(): void {
    const child = this.#child;
    const output = new InotifywaitOutput();
    child.stdout.on('data', (chunk: Buffer) => this.#options.onEvents(output.push(chunk)));
    child.stdout.on('close', () => this.#end('it has ended'));
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    // The shell may be gone before we say so: 'exit' tells.
    child.stdin.on('error', () => undefined);
  }

  #hear(text: string): void {
    if (this.#isEstablished) {
      this.#options.onComplaint(text.trim().slice(0, MAX_COMPLAINT));
      return;
    }
    this.#complaint = (this.#complaint + text).slice(-MAX_COMPLAINT);
    if (!this.#complaint.includes(ESTABLISHED)) return;
    this.#isEstablished = true;
    this.#established.resolve();
  }

  #end(reason: string): void {
    const said = this.#isEstablished ? '' : withoutGreeting(this.#complaint);
    this.#ended.resolve(reason);
    this.#established.reject(
      new IsyncError('WATCH_FAILED', `inotifywait can't watch: ${said === '' ? reason : said}`, {
        path: this.#options.directory,
        retryable: true,
      }),
    );
  }
}

function withoutGreeting(text: string): string {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('Setting up watches.'))
    .join(' ');
}
