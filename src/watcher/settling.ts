import type { RelPath } from '../model/rel-path.ts';
import { type FileIdentity, sameContentVersion } from '../model/file-identity.ts';
import { LinkedList, type ListEntry } from './linked-list.ts';

/**
 * Most paths that may be settling at a time: eight full inotify queues (16,384 events by default). One of
 * ordinary length costs about 300 bytes, so the worst case stays near 40 MB. Beyond it only a listing helps.
 */
export const MAX_SETTLING = 131_072;

/** What one look at a path found. */
export interface Observation {
  readonly version: FileIdentity;
  /** For how long, in ms, nothing touched the file by the file system's own clock; what is not known is 0. */
  readonly quietMs: number;
}

interface Pending extends ListEntry<Pending> {
  readonly path: RelPath;
  seen: FileIdentity | undefined;
  /** Its writer may pause: {@link Settling.patientMs} holds for it. */
  patient: boolean;
  /** When `seen` was seen first. */
  since: number;
  /** When to look next. */
  dueAt: number;
  list: LinkedList<Pending> | undefined;
}

/**
 * Tells which files have settled: inode, size and mtime unchanged for `settleMs`. Pure: the caller brings the clock
 * (`now`: any milliseconds that never go back) and the observations.
 *
 * While `patientMs` is above `settleMs` a file must be unchanged for that long instead, unless the file system's
 * own clock says that it has been: so a writer may pause, and old files need not wait.
 *
 * Every operation takes constant time, whatever the number of paths: paths that wait equally long stand in one list, in
 * the order in which they are due, because time only goes forward. There are as many lists as distinct waits, three.
 */
export class Settling {
  readonly #settleMs: number;
  readonly #pending = new Map<RelPath, Pending>();
  readonly #lists = new Map<number, LinkedList<Pending>>();
  /** May change at any time. Holds for changes that are told while it is above `settleMs`, and only as long as it is. */
  patientMs: number;

  constructor(settleMs: number, patientMs = settleMs) {
    this.#settleMs = settleMs;
    this.patientMs = patientMs;
  }

  /** Paths that have not settled yet. */
  get size(): number {
    return this.#pending.size;
  }

  has(path: RelPath): boolean {
    return this.#pending.has(path);
  }

  /**
   * `path` may have changed; `version` is what the teller saw, where it looked. Without one the path is due at
   * once, to have something to compare with. False when there is no room: the caller must list instead.
   */
  changed(path: RelPath, now: number, version?: FileIdentity, patient = true): boolean {
    let pending = this.#pending.get(path);
    if (pending !== undefined) {
      // Without a version there is nothing new: the look that is due anyway will tell.
      if (version === undefined || isSame(pending.seen, version)) return true;
    } else {
      if (this.#pending.size >= MAX_SETTLING) return false;
      pending = {
        path,
        seen: undefined,
        patient: false,
        since: now,
        dueAt: now,
        list: undefined,
        prev: undefined,
        next: undefined,
      };
      this.#pending.set(path, pending);
    }
    pending.seen = version;
    // Without patience now the close that goes with this change may have been missed.
    pending.patient = patient && this.patientMs > this.#settleMs;
    pending.since = now;
    this.#wait(pending, version === undefined ? 0 : this.#settleMs, now);
    return true;
  }

  /** Our own mark was set on `version`, as it is since then: a change that was told before that needs no settling. */
  handled(path: RelPath, version: FileIdentity): void {
    const seen = this.#pending.get(path)?.seen;
    if (seen !== undefined && sameContentVersion(seen, version) && seen.ctimeMs <= version.ctimeMs)
      this.forget(path);
  }

  /** What a look at `path` found, undefined: nothing there. True when the file is complete; it is forgotten then. */
  observed(path: RelPath, observation: Observation | undefined, now: number): boolean {
    const pending = this.#pending.get(path);
    if (pending === undefined) return false;
    if (observation === undefined) {
      this.forget(path);
      return false;
    }
    const { version, quietMs } = observation;
    if (!isSame(pending.seen, version)) {
      pending.seen = version;
      pending.since = now;
      this.#wait(pending, this.#settleMs, now);
      return false;
    }
    const unchangedMs = now - pending.since;
    if (unchangedMs < this.#settleMs) {
      this.#wait(pending, this.#settleMs, now);
      return false;
    }
    if (pending.patient && unchangedMs < this.patientMs && quietMs < this.patientMs) {
      this.#wait(pending, this.patientMs - this.#settleMs, now);
      return false;
    }
    this.forget(path);
    return true;
  }

  /** `path` needs no settling any more: its writer closed it, or it is nobody's concern. */
  forget(path: RelPath): void {
    const pending = this.#pending.get(path);
    if (pending === undefined) return;
    pending.list?.remove(pending);
    this.#pending.delete(path);
  }

  /** When the next path is due; undefined when none is. */
  nextDue(): number | undefined {
    let next: number | undefined;
    for (const list of this.#lists.values()) {
      const dueAt = list.first?.dueAt;
      if (dueAt !== undefined && (next === undefined || dueAt < next)) next = dueAt;
    }
    return next;
  }

  /** At most `limit` paths to look at now. Each stays due until `observed` or `forget`. */
  due(now: number, limit: number): RelPath[] {
    const paths: RelPath[] = [];
    for (const list of this.#lists.values()) {
      for (let pending = list.first; pending !== undefined; pending = pending.next) {
        if (pending.dueAt > now || paths.length >= limit) break;
        paths.push(pending.path);
      }
    }
    return paths;
  }

  #wait(pending: Pending, ms: number, now: number): void {
    pending.list?.remove(pending);
    pending.list = this.#listFor(ms);
    pending.dueAt = now + ms;
    pending.list.append(pending);
  }

  #listFor(ms: number): LinkedList<Pending> {
    let list = this.#lists.get(ms);
    if (list === undefined) {
      list = new LinkedList();
      this.#lists.set(ms, list);
    }
    return list;
  }
}

function isSame(seen: FileIdentity | undefined, version: FileIdentity): boolean {
  return seen !== undefined && sameContentVersion(seen, version);
}
