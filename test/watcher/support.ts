import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RelPath } from '../../src/model/rel-path.ts';
import type { DirectoryWatch, WatchDirectoryOptions } from '../../src/watcher/directory-watch.ts';
import { watchDirectory } from '../../src/watcher/watch-directory.ts';
import type { WatchEvent } from '../../src/watcher/watch-event.ts';
import { RecordingLog } from '../recording-log.ts';

/** Removes folders and stops watches after the test, last made first. */
export function cleanup(step: () => void | Promise<void>): void {
  onTestFinished(step);
}

/** A new root with the folder DC1 in it; for many files in memory where there is such a place. */
export function makeRoot(where: 'disk' | 'memory' = 'disk'): { root: string; directory: string } {
  const parent = where === 'memory' && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const root = realpathSync(mkdtempSync(join(parent, 'isync-watch-')));
  cleanup(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, 'DC1');
  mkdirSync(directory);
  return { root, directory };
}

/** Waits until `condition` returns something but false and undefined. */
export async function until<T>(condition: () => T | false | undefined, ms = 60_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = condition();
    if (value !== false && value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class Recorder {
  readonly events: WatchEvent[] = [];
  readonly log = new RecordingLog();
  readonly #times: number[] = [];

  add(event: WatchEvent): void {
    this.events.push(event);
    this.#times.push(performance.now());
  }

  /** Paths told complete, relative to DC1, in order. */
  get complete(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'complete' ? [event.path.slice('DC1/'.length)] : [],
    );
  }

  /** When `name` was told complete, in ms of `performance.now()`. */
  toldMs(name: string): number[] {
    return this.#times.filter((_, at) => {
      const event = this.events[at];
      return event?.kind === 'complete' && event.path === `DC1/${name}`;
    });
  }

  get reconciles(): string[] {
    return this.events.flatMap((event) => (event.kind === 'reconcile' ? [event.reason] : []));
  }

  count(kind: WatchEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  /** Waits until `name` was told complete `times` times. */
  async completed(name: string, times = 1): Promise<void> {
    await until(() => this.complete.filter((path) => path === name).length >= times);
  }
}

export async function startWatch(
  root: string,
  options: Partial<WatchDirectoryOptions> = {},
): Promise<{ watch: DirectoryWatch; recorder: Recorder }> {
  const recorder = new Recorder();
  const watch = await watchDirectory({
    root,
    directory: 'DC1' as RelPath,
    complete: 'settle',
    settleMs: 100,
    onEvent: (event) => recorder.add(event),
    log: recorder.log,
    ...options,
  });
  cleanup(async () => watch[Symbol.asyncDispose]());
  enterFolders(watch, root);
  return { watch, recorder };
}

/** What whoever holds a watch does as it lists: tells of each folder before it reads it. */
export function enterFolders(watch: DirectoryWatch, root: string, folder = 'DC1'): void {
  if (!existsSync(join(root, folder))) return;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (!entry.isDirectory()) continue;
    watch.entering(path as RelPath);
    enterFolders(watch, root, path);
  }
}

/** Ids of the inotifywaits (and of the shells around them) that run in `directory`. */
export function helpersIn(directory: string, name: 'inotifywait' | 'sh' = 'inotifywait'): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const running = readFileSync(`/proc/${entry}/comm`, 'utf8').trim();
      const matches = name === 'sh' ? /^(sh|dash|bash)$/.test(running) : running === name;
      return matches && readlinkSync(`/proc/${entry}/cwd`) === directory ? [Number(entry)] : [];
    } catch {
      // Gone meanwhile.
      return [];
    }
  });
}
