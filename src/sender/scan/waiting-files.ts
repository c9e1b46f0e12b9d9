/** Files that wait to be sent: how many, their bytes, and since when the oldest waits, in ms since 1970. */
export interface Waiting {
  readonly files: number;
  readonly bytes: number;
  readonly oldestMs: number | undefined;
}

export const NOTHING_WAITS: Waiting = { files: 0, bytes: 0, oldestMs: undefined };

export function bothWaiting(a: Waiting, b: Waiting): Waiting {
  return {
    files: a.files + b.files,
    bytes: a.bytes + b.bytes,
    oldestMs: earlier(a.oldestMs, b.oldestMs),
  };
}

export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

interface WaitingFile {
  readonly size: number;
  /** A file waits since its last change, and nobody can set this time: its mtime may be that of another disk's copy. */
  readonly ctimeMs: number;
}

/** Counts files in and out. The oldest is known to the last time at which none waited. */
export class WaitingCount implements Waiting {
  files = 0;
  bytes = 0;
  oldestMs: number | undefined;

  add({ size, ctimeMs }: WaitingFile): void {
    this.files++;
    this.bytes += size;
    this.oldestMs = this.oldestMs === undefined ? ctimeMs : Math.min(this.oldestMs, ctimeMs);
  }

  remove({ size }: WaitingFile): void {
    this.files--;
    this.bytes -= size;
    if (this.files === 0) this.oldestMs = undefined;
  }

  clear(): void {
    this.files = this.bytes = 0;
    this.oldestMs = undefined;
  }
}

/** The same of files that somebody holds already. */
export function waitingOf(files: Iterable<WaitingFile>): Waiting {
  const count = new WaitingCount();
  for (const file of files) count.add(file);
  return count;
}
